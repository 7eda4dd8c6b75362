import { ACKNOWLEDGED, ANY_MANIFEST, ANY_RECORD, FOLDER, KEPT_MEMORY, OWNER_OF_NODE, SUCCESSION } from './client-edits.ts';
import { MANIFEST_SIGNATURE } from './content-defences.ts';
import { one, type Edit, type Mutation } from './mutation.ts';
import { ID_IN_RECORD, KIND, RECORD_SIGNATURE } from './tree-defences.ts';

/** Those that the whole client stands on, with a real server behind something that lies. Where several are each enough all are taken out. */
const CONTENTS = 'test/attacks/lying-server-contents.spec.ts';
const TREE = 'test/attacks/lying-server-tree.spec.ts';
const ROLLBACK = 'test/attacks/lying-server-rollback.spec.ts';
const NODE_SEALER = 'src/crypto/node-floe-sealer.ts';
const OPEN_STREAM = 'src/crypto/open-stream.ts';

const MESSAGE_IV: Edit = { file: NODE_SEALER, defence: '    random.fill(iv, 0, MESSAGE_IV_BYTES);\n', without: '' };
const CONTENT_DEFENCES: readonly Mutation[] = [
  one(
    'client: 7 authentication of segments',
    {
      file: 'src/crypto/node-floe-opener.ts',
      defence:
        '      // Its message would be another one than for a wrong length, and tell the two apart.\n      throw new SealError();\n',
      without: '      return plain;\n',
    },
    CONTENTS,
    'attack 7 .* in sealed parts',
  ),
  {
    name: 'client: 7 signatures of records and manifests',
    edits: [RECORD_SIGNATURE, MANIFEST_SIGNATURE],
    spec: CONTENTS,
    test: 'attack 7 .* in records and manifests',
  },
  one(
    'client: 8 position of a segment',
    {
      file: 'src/crypto/floe-format.ts',
      defence: 'setBigUint64(0, BigInt(position));\n  aad[8]',
      without: 'setBigUint64(0, 0n);\n  aad[8]',
    },
    CONTENTS,
    'attack 8 .* swapped or repeated',
  ),
  {
    name: 'client: 8 end of a part and of a content',
    edits: [
      {
        file: OPEN_STREAM,
        defence:
          "  if (position <= lastSegment) throw new DomainError('data-damaged', 'fewer bytes came than this part of the file has');\n",
        without: '',
      },
      { file: 'src/sdk/drive-content.ts', defence: "  if (left !== 0) throw new SdkError('damaged');\n", without: '' },
    ],
    spec: CONTENTS,
    test: 'attack 8 .* cut off or added',
  },
  one(
    'client: 8 nothing behind a part',
    {
      file: OPEN_STREAM,
      defence:
        "      if (position > lastSegment) throw new DomainError('data-damaged', 'more bytes came than this part of the file has');\n",
      without: '      if (position > lastSegment) return;\n',
    },
    CONTENTS,
    'attack 8 .* cut off or added',
  ),
  {
    name: 'client: 9 key, header and associated data of a content',
    edits: [
      MESSAGE_IV,
      {
        file: 'src/sdk/file-writer.ts',
        defence: '  return randomBytes(KEY_BYTES);\n',
        without: '  return new Uint8Array(KEY_BYTES);\n',
      },
      {
        file: 'src/sdk/content.ts',
        defence: "tuple('dcloud/e2ee/v1/part', nodeId, revisionId, part)",
        without: "tuple('dcloud/e2ee/v1/part', nodeId.length, revisionId.length)",
      },
    ],
    spec: CONTENTS,
    test: 'attack 9 ',
  },
  one('client: 10 header of an attempt', MESSAGE_IV, CONTENTS, 'attack 10 '),
  one(
    'client: 20 one answer for whatever was wrong with a content',
    {
      file: 'src/crypto/node-floe-opener.ts',
      defence:
        '    } catch {\n      // Its message would be another one than for a wrong length, and tell the two apart.\n      throw new SealError();\n',
      without: '    } catch (cause) {\n      throw cause;\n',
    },
    CONTENTS,
    'attack 20 ',
  ),
  one(
    'client: 21 IV of a segment',
    { file: NODE_SEALER, defence: '    this.random.fill(head, SEGMENT_LENGTH_BYTES, SEGMENT_IV_BYTES);\n', without: '' },
    CONTENTS,
    'attack 21 ',
  ),
];

const TREE_DEFENCES: readonly Mutation[] = [
  one(
    'client: 11 the name that was asked for',
    {
      file: 'src/sdk/node-finder.ts',
      defence: "      if (node.record.attributes.name !== wanted) throw new SdkError('damaged');\n",
      without: '',
    },
    TREE,
    'attack 11 .* one file does not answer',
  ),
  one('client: 11 the id in the record', ID_IN_RECORD, TREE, 'attack 11 .* no name is listed'),
  {
    name: 'client: 11 id and name of what was changed',
    edits: [
      {
        file: 'src/sdk/record-writer.ts',
        defence: "  if (sealed.id !== id) throw new SdkError('damaged');\n",
        without: '  void id;\n',
      },
      {
        file: 'src/sdk/record-writer.ts',
        defence: "  if (node.record.attributes.name !== name) throw new SdkError('damaged');\n",
        without: '',
      },
    ],
    spec: TREE,
    test: 'attack 11 .* what the server answers',
  },
  one(
    'client: 11 and 13 what was made',
    {
      file: 'src/sdk/open-node.ts',
      defence: '    if (!isHere || !isAsSent || !isFirst) return undefined;\n',
      without: '    if (content === undefined) return undefined;\n    void [isHere, isAsSent, isFirst];\n',
    },
    CONTENTS,
    'attack 11 and 13 ',
  ),
  { name: 'client: 12 key, tag and id of the folder', edits: FOLDER, spec: TREE, test: 'attack 12 .* a file of one folder' },
  { name: 'client: 12 the kind', edits: KIND, spec: TREE, test: 'attack 12 .* a file does not pass for a folder' },
  one(
    'client: 12 that a file has a content',
    {
      file: 'src/sdk/open-node.ts',
      defence: "    if (content === undefined) throw new SdkError('damaged');\n",
      without: '    if (content === undefined) return undefined as unknown as OpenContent;\n',
    },
    TREE,
    'attack 12 .* an empty one',
  ),
  {
    name: 'client: 13 owner, signature and folder',
    edits: [OWNER_OF_NODE, ANY_RECORD, ANY_MANIFEST, ...FOLDER],
    spec: TREE,
    test: 'attack 13 ',
  },
  one('client: 22 the owner that the server tells', OWNER_OF_NODE, TREE, 'attack 22 .* of nodes and of contents'),
  one(
    'client: 22 the id of a revision that the server tells',
    {
      file: 'src/sdk/drive-content.ts',
      defence: 'const { revision, revisionId, trueSize, writer } = manifest;\n',
      without: 'const { revision, trueSize, writer } = manifest;\n        const { revisionId } = sealed;\n',
    },
    TREE,
    'attack 22 .* of revisions',
  ),
];

const ROLLBACK_DEFENCES: readonly Mutation[] = [
  one('client: 15 memory of contents', SUCCESSION, ROLLBACK, 'attack 15 .* a content: at once'),
  one('client: 15 memory of records', SUCCESSION, ROLLBACK, 'attack 15 .* a record: at once'),
  one('client: 15 memory of places', SUCCESSION, ROLLBACK, 'attack 15 .* a name and a place'),
  one('client: 15 what the device keeps of contents', KEPT_MEMORY, ROLLBACK, 'attack 15 .* a content: after a restart'),
  one('client: 15 what the device keeps of records', KEPT_MEMORY, ROLLBACK, 'attack 15 .* a record: after a restart'),
  one(
    'client: 15 a history without gaps',
    {
      file: 'src/sdk/drive-content.ts',
      defence: '        if (after !== undefined) assertFollows(after, manifest);\n',
      without: '',
    },
    ROLLBACK,
    'attack 15 .* a history',
  ),
  one(
    'client: 15 the loss of the root',
    {
      file: 'src/sdk/drive-root.ts',
      defence: "  if (seen.get('root', accountId) !== undefined) throw new SdkError('rolled-back');\n",
      without: '',
    },
    ROLLBACK,
    'attack 15 .* the root',
  ),
  ...['a content', 'a small content', 'a restored content', 'a name', 'a place'].map((what) =>
    one(`client: 15 ${what} that was acknowledged`, ACKNOWLEDGED, ROLLBACK, `attack 15 .* is not unmade ${what}, `),
  ),
  one(
    'client: 15 the key of what was written',
    {
      file: 'src/sdk/file-writer.ts',
      defence: 'isEqual(content.manifest.contentKey, contentKey)',
      without: 'contentKey.length > 0',
    },
    ROLLBACK,
    'attack 15 .* does not make an old content',
  ),
  one(
    'client: 15 the key of the folder that was made',
    {
      file: 'src/sdk/drive-tree.ts',
      defence: 'made.some(({ current }) => there !== undefined && isEqual(current, there.record.keys.current))',
      without: 'made.length > 0',
    },
    ROLLBACK,
    'attack 15 .* does not make a file or a folder',
  ),
];

export const CLIENT_DEFENCES: readonly Mutation[] = [...CONTENT_DEFENCES, ...TREE_DEFENCES, ...ROLLBACK_DEFENCES];
