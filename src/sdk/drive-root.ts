import type { MasterKey } from './account-keys.js';
import { sha256, toBase64Url, utf8, type Bytes } from './bytes.js';
import { NodeKeys } from './drive-keys.js';
import { makeNodeRecord, openNodeRecord, type NodeRecord } from './drive-record.js';
import type { AccountKeys, RootNode } from './drive-session.js';
import { SdkError } from './errors.js';
import type { IdPool } from './id-pool.js';
import type { JsonObject } from './json-object.js';
import { rekeyRoot, rootParentKeys } from './key-change.js';
import type { SeenMemory } from './seen-memory.js';
import type { Transport } from './transport.js';
import { Writers } from './writers.js';

const NO_HASH = new Uint8Array(32);
/** Nobody sees it: the root is `/`. */
const NAME = 'Drive';

export interface RootAccess {
  readonly transport: Transport;
  readonly keys: AccountKeys;
  readonly formerMaster: MasterKey | undefined;
  readonly ids: IdPool;
  readonly seen: SeenMemory;
}

/** The root folder. Made if there is none; two devices that make it at once end up with one. @throws SdkError `rolled-back`, `damaged` */
export async function openRoot(access: RootAccess, signal: AbortSignal): Promise<RootNode> {
  const found = (await fetchRoot(access, signal)) ?? (await makeRoot(access, signal));
  return (await readRoot(access, found)).root;
}

/** Puts the root under the master key of now, if it lies under the one before. */
export async function rekeyOldRoot(access: RootAccess, signal: AbortSignal): Promise<void> {
  const found = await fetchRoot(access, signal);
  if (found === undefined) return;
  const { root, isUnderFormer } = await readRoot(access, found);
  if (!isUnderFormer) return;
  const { master, identity } = access.keys;
  const record = await rekeyRoot(root.record, master, identity);
  const call = { method: 'PUT', path: `/drive/nodes/${root.record.nodeId}`, json: { record: toBase64Url(record) } } as const;
  await access.transport.json({ ...call, headers: { 'If-Match': root.etag } }, signal);
}

async function fetchRoot({ transport }: RootAccess, signal: AbortSignal): Promise<JsonObject | undefined> {
  try {
    return (await transport.json({ method: 'GET', path: '/drive/root' }, signal)).body;
  } catch (error) {
    if (error instanceof SdkError && error.kind === 'not-found') return undefined;
    throw error;
  }
}

async function makeRoot(access: RootAccess, signal: AbortSignal): Promise<JsonObject> {
  const { transport, keys, ids, seen } = access;
  const accountId = keys.master.accountId;
  if (seen.get('root', accountId) !== undefined) throw new SdkError('rolled-back');
  const now = Date.now();
  const draft = {
    nodeId: await ids.take(signal),
    parentId: accountId,
    revision: 1,
    previousHash: NO_HASH,
    writer: { accountId, bundleVersion: keys.identity.version },
    keys: NodeKeys.fresh(),
    attributes: { name: NAME, kind: 'folder', createdAt: now, modifiedAt: now, mediaType: '' },
  } as const;
  const record = await makeNodeRecord(draft, await rootParentKeys(keys.master), keys.identity.signer);
  try {
    return (await transport.json({ method: 'POST', path: '/drive/nodes', json: { record: toBase64Url(record) } }, signal)).body;
  } catch (error) {
    // Another device was faster, or the answer was lost.
    const found = isRace(error) ? await fetchRoot(access, signal) : undefined;
    if (found === undefined) throw error;
    return found;
  }
}

function isRace(error: unknown): boolean {
  return error instanceof SdkError && ['exists', 'conflict', 'in-doubt'].includes(error.kind);
}

interface ReadRoot {
  readonly root: RootNode;
  readonly isUnderFormer: boolean;
}

async function readRoot({ keys, formerMaster, seen }: RootAccess, node: JsonObject): Promise<ReadRoot> {
  const { accountId } = keys.master;
  const [nodeId, bytes, etag] = [node.id('id'), node.bytes('record'), node.text('etag')];
  const open = async (master: MasterKey): Promise<NodeRecord> => openRootRecord(bytes, { nodeId, accountId, master, keys });
  const { record, isUnderFormer } = await open(keys.master)
    .then((opened) => ({ record: opened, isUnderFormer: false }))
    .catch(async (error: unknown) => {
      if (formerMaster === undefined) throw error;
      return { record: await open(formerMaster), isUnderFormer: true };
    });
  if (record.kind !== 'folder') throw new SdkError('damaged');
  // There is one for ever: another one would be empty, or an old one.
  seen.meet('root', accountId, { revision: 1, hash: await sha256(utf8(nodeId)), previousHash: NO_HASH });
  seen.meet('node', nodeId, record);
  return { root: { record, etag }, isUnderFormer };
}

async function openRootRecord(
  bytes: Bytes,
  of: { readonly nodeId: string; readonly accountId: string; readonly master: MasterKey; readonly keys: AccountKeys },
): Promise<NodeRecord> {
  const expected = { nodeId: of.nodeId, parentId: of.accountId, writers: new Writers(of.keys.owner) };
  return openNodeRecord(bytes, { parentKeys: await rootParentKeys(of.master) }, expected);
}
