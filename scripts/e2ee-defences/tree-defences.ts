import { one, type Edit, type Mutation } from './mutation.ts';

const TREE = 'test/attacks/tree.spec.ts';

export const RECORD_SIGNATURE: Edit = {
  file: 'src/sdk/drive-record.ts',
  defence: '  await checkSigned(DOMAIN, bytes, expected.writers.keyOf(head.writer));\n',
  without: '  expected.writers.keyOf(head.writer);\n',
};
const SHOWN_KIND: Edit = {
  file: 'src/sdk/drive-record.ts',
  defence: "  if (attributes.kind !== head.kind) throw new SdkError('damaged');\n",
  without: '',
};
export const KIND: readonly Edit[] = [
  RECORD_SIGNATURE,
  SHOWN_KIND,
  {
    file: 'src/sdk/drive-record.ts',
    defence: 'fields: [nodeId, parentId, kind, generation,',
    without: 'fields: [nodeId, parentId, 0, generation,',
  },
];
export const ID_IN_RECORD: Edit = {
  file: 'src/sdk/drive-record.ts',
  defence: 'nodeId !== expected.nodeId || (',
  without: '(',
};

export const TREE_DEFENCES: readonly Mutation[] = [
  one('11 the node that was asked for', ID_IN_RECORD, TREE, 'attack 11: .* a record does not answer'),
  one(
    '11 one form of a name',
    { file: 'src/sdk/drive-name.ts', defence: "name.normalize('NFC')", without: 'name' },
    TREE,
    'attack 11: .* two spellings',
  ),
  one(
    '11 the tag of the name',
    {
      file: 'src/sdk/drive-record.ts',
      defence: "  if (!isEqual(tag, await nameTag(folderKey, name))) throw new SdkError('damaged');\n",
      without: '  await nameTag(folderKey, name);\n',
    },
    TREE,
    'attack 11: .* a tag that is not',
  ),
  one(
    '12 the folder',
    {
      file: 'src/sdk/drive-record.ts',
      defence: ' || (expected.parentId !== undefined && parentId !== expected.parentId)',
      without: ' || parentId === undefined',
    },
    TREE,
    'attack 12: .* does not open in another folder',
  ),
  {
    name: '12 the kind, in signature, context and attributes',
    edits: KIND,
    spec: TREE,
    test: 'attack 12: .* a file does not pass',
  },
  one('13 signature of a record', RECORD_SIGNATURE, TREE, 'attack 13:'),
  one(
    '14 who may write',
    { file: 'src/sdk/writers.ts', defence: '        entry.accountId === writer.accountId &&\n', without: '' },
    TREE,
    'attack 14: .* counts for its own account',
  ),
  one(
    '14 since when nobody may any more',
    { file: 'src/sdk/writers.ts', defence: '        by.revision <= (entry.toRevision ?? Infinity),', without: '        true,' },
    TREE,
    'attack 14: .* counts only while',
  ),
  one(
    '14 no list before the one that was written by',
    { file: 'src/sdk/succession.ts', defence: ' || isByOlderList(seen, state)', without: '' },
    TREE,
    'attack 14: .* behind what was written since',
  ),
  one(
    '14 signature of the list',
    {
      file: 'src/sdk/writers.ts',
      defence: '  await checkWritersSignature(bytes, new Writers(owner).keyOf(writer));\n',
      without: '  new Writers(owner).keyOf(writer);\n',
    },
    TREE,
    'attack 14: .* a list that the owner',
  ),
  one(
    '18 seal of the attributes',
    {
      file: 'src/sdk/drive-record.ts',
      defence: "await seal(keys.current, encoded, contextOf(head, 'attributes'))",
      without: 'encoded',
    },
    'test/attacks/secrecy.spec.ts',
    'attack 18:',
  ),
  one(
    '22 times and types that can be shown',
    { file: 'src/sdk/drive-attributes.ts', defence: ' || !isPresentable(attributes)', without: '' },
    TREE,
    'attack 22: what nobody could show',
  ),
  one('22 the sealed kind', SHOWN_KIND, TREE, 'attack 22: nothing is shown'),
];
