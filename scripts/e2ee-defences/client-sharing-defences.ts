import { ACKNOWLEDGED, ANY_MANIFEST, ANY_RECORD, KEPT_MEMORY, SUCCESSION } from './client-edits.ts';
import { one, type Edit, type Mutation } from './mutation.ts';
import { PIN } from './key-defences.ts';
import { FOR_WHOM, GRANT_HEAD, LINK_HEAD, LINK_PROOF } from './sharing-defences.ts';

/** Those of sharing that the whole client stands on, with a real server behind something that lies. */
const WRITERS = 'test/attacks/lying-server-writers.spec.ts';
const GRANTS = 'test/attacks/lying-server-grants.spec.ts';
const DRIVE_SHARING = 'src/sdk/drive-sharing.spec.ts';
const LINKS = 'test/attacks/lying-server-links.spec.ts';
const OPEN_NODE = 'src/sdk/open-node.ts';
const WAY = 'src/sdk/way.ts';
const RECORD = 'src/sdk/drive-record.ts';

/** In a tree that is known up to its root. */
const OTHER_LISTS: Edit = { file: OPEN_NODE, defence: 'const further = isWhole ? [] : [', without: 'const further = [' };

const WRITER_DEFENCES: readonly Mutation[] = [
  one('client: 14 no lists of other folders, for what is new', OTHER_LISTS, WRITERS, 'attack 13 and 14 .* makes no file'),
  one('client: 14 no lists of other folders, for what is there', OTHER_LISTS, WRITERS, 'attack 13 and 14 .* changes no content'),
  {
    name: 'client: 14 signatures of records and manifests',
    edits: [ANY_RECORD, ANY_MANIFEST],
    spec: WRITERS,
    test: 'attack 13 and 14 .* makes no file',
  },
  {
    name: 'client: 14 no lists of other folders, for keys that are given on',
    edits: [
      {
        file: WAY,
        defence: '  for (const { id: nodeId } of nodes) {\n',
        without: '  for (const nodeId of sealed.keys()) {\n    void nodes;\n',
      },
      { file: WAY, defence: 'new Writers(owner, listsOf(nodes, lists))', without: 'new Writers(owner, [...lists.values()])' },
    ],
    spec: WRITERS,
    test: 'attack 13 and 14 .* changes no content',
  },
  one(
    'client: 14 no list before the one that was written by',
    { file: 'src/sdk/succession.ts', defence: ' || isByOlderList(seen, state)', without: '' },
    WRITERS,
    'attack 14 and 15 .* is not brought back',
  ),
  one('client: 15 what the device keeps of lists', KEPT_MEMORY, WRITERS, 'attack 14 and 15 .* is not brought back'),
  one(
    'client: 15 the loss of a list, where something is looked for',
    {
      file: OPEN_NODE,
      defence:
        "      if (bytes === undefined && this.seen.get('writers', nodeId) !== undefined) throw new SdkError('rolled-back');\n",
      without: '',
    },
    WRITERS,
    'attack 14 and 15 .* is not brought back',
  ),
  one(
    'client: 15 the loss of a list, where keys are given on',
    {
      file: WAY,
      defence: "    if (bytes === undefined && seen.get('writers', nodeId) !== undefined) throw new SdkError('rolled-back');\n",
      without: '',
    },
    WRITERS,
    'attack 14 and 15 .* is not brought back',
  ),
  one(
    'client: 14 no list of the node itself, for its name',
    { file: OPEN_NODE, defence: 'lists.filter(({ nodeId }) => nodeId !== sealed.id)', without: 'lists' },
    DRIVE_SHARING,
    'a server that lies about sharing cannot give the shared node itself',
  ),
  one('client: 15 a removal that was acknowledged', ACKNOWLEDGED, WRITERS, 'attack 14 and 15 .* is not kept'),
];

const GRANT_DEFENCES: readonly Mutation[] = [
  one('client: 2 pin of a contact', PIN, GRANTS, 'attack 2 through'),
  one('client: 16 for whom a grant is', FOR_WHOM, GRANTS, 'attack 16 .* is not redirected'),
  {
    name: 'client: 16 the node of a grant, and its key',
    edits: [
      {
        file: 'src/sdk/shared-with-me.ts',
        defence: "    if (sealed.id !== grant.nodeId) throw new SdkError('damaged');\n",
        without: '',
      },
      {
        file: RECORD,
        defence: 'seal(keys.current, encoded,',
        without: 'seal(new Uint8Array(32), encoded,',
      },
      { file: RECORD, defence: 'openSeal(current, sealedAttributes,', without: 'openSeal(new Uint8Array(32), sealedAttributes,' },
    ],
    spec: GRANTS,
    test: 'attack 16 .* is not pointed at',
  },
  {
    name: 'client: 16 the head of a grant, in signature and context',
    edits: GRANT_HEAD,
    spec: GRANTS,
    test: 'attack 16 .* does not become a right',
  },
  {
    name: 'client: 16 the owner’s signature, of grant and record',
    edits: [
      {
        file: 'src/sdk/grant.ts',
        defence: '  await checkGrantSignature(bytes, new Writers(owner).keyOf(granter));\n',
        without: '  await Promise.resolve([bytes, new Writers(owner), granter]);\n',
      },
      ANY_RECORD,
    ],
    spec: GRANTS,
    test: 'attack 16 .* is not made in the name',
  },
  one(
    'client: 16 the consent of the recipient',
    {
      file: 'src/sdk/shared-with-me.ts',
      defence:
        "    const mount = (await this.mounts(signal)).named(name);\n    if (mount === undefined) throw new SdkError('not-found');\n",
      without:
        '    const [any] = (await this.api.shared(signal)).map(({ node, owner }) => ({ nodeId: node.id, ownerId: owner }));\n    const mount = (await this.mounts(signal)).named(name) ?? any!;\n',
    },
    GRANTS,
    'attack 16 .* mounts nothing',
  ),
  one(
    'client: 16 the node of an own grant',
    {
      file: 'src/sdk/sharing-state.ts',
      defence: "    if (head.nodeId !== nodeId) throw new SdkError('damaged');\n",
      without: '',
    },
    GRANTS,
    'attack 16 .* do not become somebody',
  ),
  one(
    'client: 16 the owner’s signature of an own grant',
    {
      file: 'src/sdk/grant.ts',
      defence: '  await checkOwner(bytes, head, owner);\n  return head;\n',
      without: '  await Promise.resolve(owner);\n  return head;\n',
    },
    DRIVE_SHARING,
    'a server that lies about sharing cannot add a recipient',
  ),
  one(
    'client: 14 the right to write, as the list says',
    {
      file: 'src/sdk/sharing-state.ts',
      defence: ' && toRevision === undefined) === true',
      without: ' && toRevision !== 0) === true',
    },
    DRIVE_SHARING,
    'a server that lies about sharing cannot give back the right',
  ),
  one(
    'client: 16 the owner of what was accepted',
    {
      file: 'src/sdk/shared-with-me.ts',
      defence: 'owner === ownerId && headOf(grant)',
      without: 'owner !== undefined && ownerId !== undefined && headOf(grant)',
    },
    DRIVE_SHARING,
    'a server that lies about sharing another node in the place',
  ),
  one(
    'client: 16 the generation of an own grant',
    { file: 'src/sdk/sharing-state.ts', defence: 'if (head.generation >= generation) grants', without: 'grants' },
    GRANTS,
    'attack 16 .* do not bring back',
  ),
  one('client: 15 memory of the vault', SUCCESSION, GRANTS, 'what an account .* attack 15 '),
  one('client: 15 what the device keeps of the vault', KEPT_MEMORY, GRANTS, 'what an account .* attack 15 '),
  one(
    'client: 20 one answer for whatever was wrong with a seal',
    {
      file: 'src/sdk/seal.ts',
      defence:
        "  const { plain } = await tryOpen(key, sealed, context);\n  if (plain === undefined) throw new SdkError('damaged');\n",
      without: '  return openTyped(key, sealed, context);\n',
    },
    GRANTS,
    'what an account .* attack 20 ',
  ),
];

const LINK_DEFENCES: readonly Mutation[] = [
  one('client: 17 the node of a link', LINK_HEAD, LINKS, 'attack 17 .* is not pointed at'),
  one(
    'client: 17 the id of a link',
    { file: 'src/sdk/link.ts', defence: "  if (head.linkId !== linkId) throw new SdkError('damaged');\n", without: '' },
    LINKS,
    'attack 17 .* is not pointed at',
  ),
  one(
    'client: 17 the secret of a link',
    {
      file: 'src/sdk/link.ts',
      defence: "purposeKey(secret, 'link-key', linkId)",
      without: "purposeKey(secret.map(() => 0), 'link-key', linkId)",
    },
    LINKS,
    'attack 17 .* is not made anew',
  ),
  one('client: 17 memory of what a link showed', SUCCESSION, LINKS, 'attack 17 .* shows nothing in the place'),
  one('client: 17 another key for what the server is shown', LINK_PROOF, LINKS, 'attack 17 .* is in nothing'),
  one(
    'client: 17 floor of the password’s cost',
    { file: 'src/sdk/password-cost.ts', defence: "  if (!isStrong) throw new SdkError('weak-password-cost');\n", without: '' },
    LINKS,
    'attack 17 .* asks for its password',
  ),
];

export const CLIENT_SHARING_DEFENCES: readonly Mutation[] = [...WRITER_DEFENCES, ...GRANT_DEFENCES, ...LINK_DEFENCES];
