import { meetAcknowledged, type Acknowledged } from './acknowledged.js';
import { writerIn, writerInFolder, type WriteContext } from './drive-context.js';
import type { NodeAttributes } from './drive-attributes.js';
import type { SealedNode } from './drive-calls.js';
import { childPath } from './drive-path.js';
import { NodeKeys } from './drive-keys.js';
import { makeNodeRecord, makeOpenRecord, type MadeRecord } from './drive-record.js';
import { SdkError } from './errors.js';
import { placeIn, type OpenNode } from './open-node.js';
import { NO_HASH } from './succession.js';

/** The first record of a node. @param folder with its newest lists */
export function newRecord(
  context: WriteContext,
  folder: OpenNode,
  node: { readonly id: string; readonly keys: NodeKeys; readonly attributes: NodeAttributes },
): Promise<MadeRecord> {
  const keys = context.keys();
  const draft = {
    nodeId: node.id,
    parentId: folder.id,
    revision: 1,
    previousHash: NO_HASH,
    writer: writerInFolder(keys, folder),
    keys: node.keys,
    attributes: node.attributes,
  };
  return makeOpenRecord(draft, folder.record.keys, keys.identity.signer);
}

/** What becomes another one in a record; the rest stays as it was. */
export interface RecordChange {
  /** The folder that it lies in from now on, open, with its newest lists. */
  readonly folder: OpenNode;
  readonly attributes?: Partial<Pick<NodeAttributes, 'name' | 'modifiedAt' | 'mediaType'>>;
  /** Of the next generation. */
  readonly keys?: NodeKeys;
}

/**
 * Writes the next record of a node, by compare-and-set: another name, place, or keys. It is wrapped by the newest key of its folder.
 * @throws SdkError `exists`, `conflict` (with the server's code)
 */
export async function writeRecord(
  context: WriteContext,
  node: OpenNode,
  { folder, attributes, keys = node.record.keys }: RecordChange,
  signal: AbortSignal,
): Promise<OpenNode> {
  const account = context.keys();
  const isOwner = account.identity.accountId === node.owner.accountId;
  const own = isOwner
    ? (await context.opener.lists([node.id, ...node.above], node.owner, signal)).filter((list) => list.nodeId === node.id)
    : [];
  const draft = {
    nodeId: node.id,
    parentId: folder.id,
    revision: node.record.revision + 1,
    previousHash: node.record.hash,
    writer: writerIn(account, node.owner.accountId, [...own, ...folder.lists]),
    keys,
    attributes: { ...node.record.attributes, ...attributes },
  };
  const record = await makeNodeRecord(draft, folder.record.keys, account.identity.signer);
  const sealed = await context.calls.replaceRecord(node.id, { record, etag: node.etag }, signal);
  return openAnswer(context, { sealed, id: node.id, name: draft.attributes.name, sent: { record } }, folder, signal);
}

/**
 * New keys for a node, so that who had the ones until now opens nothing that is written from now on. What lies in a folder is wrapped by its new key
 * when its own record is next written: go on with the children.
 */
export function renewKeys(context: WriteContext, node: OpenNode, folder: OpenNode, signal: AbortSignal): Promise<OpenNode> {
  return writeRecord(context, node, { folder, keys: node.record.keys.next() }, signal);
}

/** What the server answers to a change. */
export interface ChangeAnswer {
  readonly sealed: SealedNode;
  readonly id: string;
  readonly name: string;
  readonly sent: Acknowledged;
}

/** Opens what the server answers to a change: it must be what was asked for. */
export async function openAnswer(
  { opener, seen }: WriteContext,
  { sealed, id, name, sent }: ChangeAnswer,
  folder: OpenNode,
  signal: AbortSignal,
): Promise<OpenNode> {
  if (sealed.id !== id) throw new SdkError('damaged');
  await meetAcknowledged(seen, sent);
  const node = await opener.open(sealed, placeIn(folder, childPath(folder.path, name)), signal);
  if (node.record.attributes.name !== name) throw new SdkError('damaged');
  return node;
}
