import { meetAcknowledged } from './acknowledged.js';
import type { MasterKey } from './account-keys.js';
import { sha256, utf8, type Bytes } from './bytes.js';
import { DriveCalls, type SealedNode } from './drive-calls.js';
import { NodeKeys } from './drive-keys.js';
import { makeNodeRecord, openNodeRecord, type NodeRecord } from './drive-record.js';
import type { AccountKeys, RootNode } from './drive-session.js';
import { SdkError } from './errors.js';
import type { IdPool } from './id-pool.js';
import { rekeyRoot, rootParentKeys } from './key-change.js';
import type { SeenMemory } from './seen-memory.js';
import type { Transport } from './transport.js';
import { Writers } from './writers.js';
import { NO_HASH } from './succession.js';

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
  await new DriveCalls(access.transport).replaceRecord(root.record.nodeId, { record, etag: root.etag }, signal);
  await meetAcknowledged(access.seen, { record });
}

async function fetchRoot({ transport }: RootAccess, signal: AbortSignal): Promise<SealedNode | undefined> {
  try {
    return await new DriveCalls(transport).root(signal);
  } catch (error) {
    if (error instanceof SdkError && error.kind === 'not-found') return undefined;
    throw error;
  }
}

async function makeRoot(access: RootAccess, signal: AbortSignal): Promise<SealedNode> {
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
    return await new DriveCalls(transport).createNode({ record }, signal);
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

async function readRoot({ keys, formerMaster, seen }: RootAccess, node: SealedNode): Promise<ReadRoot> {
  const { accountId } = keys.master;
  const { id: nodeId, record: bytes, etag } = node;
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
