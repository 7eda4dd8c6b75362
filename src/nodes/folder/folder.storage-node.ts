import { errorCode } from '../../common/errors.js';
import { inTurns } from '../../common/in-turns.js';
import { mapOrdered } from '../../common/map-ordered.js';
import type { ClusterId, NodeId } from '../../common/ids.js';
import {
  NodeError,
  StorageNode,
  type NodeBatch,
  type NodeProbe,
  type NodeRecord,
  type RecordHead,
  type RecordKey,
  type Shard,
  type ShardId,
} from '../storage-node.js';
import { createFolder } from './create-folder.js';
import { NODE_FILE_CALLS, type FileCalls } from './file-calls.js';
import { asNodeErrors } from './file-errors.js';
import { FolderLock } from './folder-lock.js';
import { probeFolder } from './folder-probe.js';
import { verifyIdentity, type NodeIdentity } from './node-identity.js';
import type { CompactionLimits } from './pack-compactor.js';
import { HeldPacks } from './held-packs.js';
import { KeyEncoder } from './pack-key.js';
import type { PackStats, PackStore } from './pack-store.js';
import { requireBatch } from './pack-writings.js';
import { ShardFiles } from './shard-files.js';
import { Slots } from './slots.js';

export interface FolderStorageNodeOptions {
  /** The absolute path of the node's folder; the directory around it exists. */
  readonly directory: string;
  readonly number: number;
  readonly clusterId: ClusterId;
  readonly nodeId: NodeId;
  /** With less free space than this the node calls itself full. */
  readonly bytesFreeMin: number;
  /** Shards of fewer bytes go to packs; 0: none. Records always do. */
  readonly packBelow: number;
  readonly limits: CompactionLimits;
  /** Reads and lists without changing anything on the disk but the lock; writing is `rejected`. */
  readonly readOnly?: boolean;
  /** The system calls by which it changes the disk. */
  readonly files?: FileCalls;
}

/** File operations of one node under way at once; see {@link Slots}. */
const WIDTH = 8;
/** Shards that a check holds in memory at once; the largest have 64 MiB. */
const CHECK_WIDTH = 4;
/** Items of a walk over what is known of packs, between two turns of the event loop. */
const ITEMS_OF_A_TURN = 128;

/**
 * A node that is a folder: a file for each large shard, packs for small ones and for records (`docs/format.md`). One process at a time.
 * Reading takes no lock, since each shard proves by itself whose it is; the first write takes it.
 */
export class FolderStorageNode extends StorageNode {
  override readonly number: number;
  private readonly directory: string;
  private readonly identity: NodeIdentity;
  private readonly files: FileCalls;
  private readonly isReadOnly: boolean;
  private readonly lock: FolderLock;
  private readonly slots = new Slots(WIDTH);
  /** Opening and probing go one at a time: the lock asks for it, and probes of a disk that hangs would pile up, one thread each second. */
  private readonly control = new Slots(1);
  private readonly shardFiles: ShardFiles;
  private readonly packs: HeldPacks;
  private closed = false;

  constructor(private readonly options: FolderStorageNodeOptions) {
    super();
    const { directory, number, clusterId, nodeId, files = NODE_FILE_CALLS } = options;
    this.directory = directory;
    this.number = number;
    this.identity = { clusterId, nodeId, node: number };
    this.files = files;
    this.isReadOnly = options.readOnly ?? false;
    this.lock = new FolderLock(directory);
    const { packBelow, limits } = options;
    const { identity, slots, lock, isReadOnly } = this;
    this.packs = new HeldPacks({ directory, identity, files, packBelow, limits, slots, lock, isReadOnly });
    this.shardFiles = new ShardFiles({ directory, clusterId, files, slots: this.slots });
  }

  /**
   * Makes the folder of a node that never existed and opens it; only opens it if it is there already. Not for a node that did exist:
   * whether it did, the caller knows. Throws `rejected` for a folder that is not empty or is another node's, `storage-locked`.
   */
  static async create(options: FolderStorageNodeOptions, signal: AbortSignal): Promise<FolderStorageNode> {
    signal.throwIfAborted();
    const node = new FolderStorageNode(options);
    try {
      await asNodeErrors('making its folder', () => createFolder(node.files, options.directory, node.identity, node.lock));
      await node.open(signal);
      return node;
    } catch (error) {
      await node.close();
      throw error;
    }
  }

  /** Proves that the folder is that of this node, locks it and takes in its packs. The first write and each probe do so too. */
  async open(signal: AbortSignal): Promise<void> {
    this.admit(signal);
    await this.control.run(() => this.verifyAndLock(), signal);
  }

  override async put({ shards, records }: NodeBatch, signal: AbortSignal): Promise<void> {
    await this.admitChange(signal);
    const packs = await this.ready(signal);
    const isSmall = ({ bytes }: Shard): boolean => bytes.byteLength < this.options.packBelow;
    const large = shards.filter((shard) => !isSmall(shard));
    const small = large.length === 0 ? shards : shards.filter(isSmall);
    if (large.length > 0) {
      requireBatch({ shards, records });
      await packs.put({ shards: [], records: [] }, signal);
      await this.shardFiles.put(large, signal);
    }
    // Behind the shards: a record that is there without them would speak of a file that cannot be read.
    if (small.length + records.length > 0) await packs.put({ shards: small, records }, signal);
    // Last of all, so that it vouches for what was written: while a probe has not seen it yet, another node may lie in this place.
    // A pack proves that by itself, with each sync.
    if (large.length > 0 || shards.length + records.length === 0) await this.verify(signal);
  }

  override async get(ids: readonly ShardId[], signal: AbortSignal): Promise<readonly (Uint8Array | NodeError)[]> {
    this.admit(signal);
    const packs = await this.ready(signal);
    const answers = await this.dropIfLost(packs.getShards(ids, signal), signal);
    const others: number[] = [];
    for (let position = 0; position < answers.length; position += 1) if (answers[position] === undefined) others.push(position);
    if (others.length === 0) return answers as (Uint8Array | NodeError)[];
    const fromFiles = await this.shardFiles.get(
      others.map((position) => ids[position] as ShardId),
      signal,
    );
    for (const [at, position] of others.entries()) answers[position] = fromFiles[at];
    // After the last read, so that it vouches for all of them: "not found" is no answer of a folder that is not there.
    if (fromFiles.some(isNotFound)) await this.verify(signal);
    return answers as (Uint8Array | NodeError)[];
  }

  override async check(ids: readonly ShardId[], signal: AbortSignal): Promise<readonly (NodeError | undefined)[]> {
    const checks = mapOrdered(ids, CHECK_WIDTH, async (id) => (await this.get([id], signal))[0]);
    return (await Array.fromAsync(checks)).map((answer) => (answer instanceof NodeError ? answer : undefined));
  }

  override async delete(ids: readonly ShardId[], signal: AbortSignal): Promise<void> {
    await this.admitChange(signal);
    await this.verify(signal); // another node that lies in this place must not lose anything
    const packs = await this.ready(signal);
    await this.shardFiles.delete(await packs.remove(ids, signal), signal);
    signal.throwIfAborted();
  }

  override async getRecords(keys: readonly RecordKey[], signal: AbortSignal): Promise<readonly (NodeRecord | NodeError)[]> {
    this.admit(signal);
    const packs = await this.ready(signal);
    const found = await this.dropIfLost(packs.getRecords(keys, signal), signal);
    const answers = found.map((answer) => answer ?? new NodeError('not-found', 'there is no such record'));
    if (answers.some(isNotFound)) await this.verify(signal);
    return answers;
  }

  override async forget(heads: readonly RecordHead[], signal: AbortSignal): Promise<void> {
    await this.admitChange(signal);
    await this.verify(signal);
    await (await this.ready(signal)).forget(heads, signal);
  }

  override async *listRecords(signal: AbortSignal): AsyncGenerator<RecordHead, void, undefined> {
    const packs = await this.beginWalk(signal);
    yield* inTurns(packs.listRecords(), ITEMS_OF_A_TURN, () => this.admit(signal));
    await this.endWalk(packs, signal);
  }

  override async *list(signal: AbortSignal): AsyncGenerator<ShardId, void, undefined> {
    const packs = await this.beginWalk(signal);
    yield* inTurns(packs.listShards(), ITEMS_OF_A_TURN, () => this.admit(signal));
    const keys = new KeyEncoder();
    const mayRemoveTemps = (): boolean => this.lock.isHeld && !this.isReadOnly;
    for await (const id of this.shardFiles.list(() => this.admit(signal), mayRemoveTemps)) if (!packs.has(id, keys)) yield id;
    await this.endWalk(packs, signal);
  }

  override async probe(signal: AbortSignal): Promise<NodeProbe> {
    this.admit(signal);
    return this.control.run(async () => {
      const packs = await this.verifyAndLock();
      signal.throwIfAborted();
      return asNodeErrors('probing', () => this.measure(packs));
    }, signal);
  }

  /** Waits for what is under way, then gives the lock back. */
  override async close(): Promise<void> {
    this.closed = true;
    const reason = new NodeError('unavailable', 'it is closed');
    await Promise.all([this.packs.close(reason), this.slots.close(), this.control.close()]);
    await this.packs.close(reason); // those that an opening under way took in
    this.lock.release();
  }

  /** For tests, and for whoever wants to know what compaction does. */
  async packStats(signal: AbortSignal): Promise<PackStats> {
    return (await this.ready(signal)).stats();
  }

  /** Compacts now whatever is worth it when a node rests. */
  async compact(signal: AbortSignal): Promise<void> {
    await this.admitChange(signal);
    await (await this.ready(signal)).compactor.look(true);
  }

  /** A lock that another process has is fatal at a start; later it is this node alone that cannot be used. */
  private async admitChange(signal: AbortSignal): Promise<void> {
    this.admit(signal);
    if (this.isReadOnly) throw new NodeError('rejected', 'it was opened for reading only');
    if (this.packs.current?.mayWrite === true && this.lock.isHeld) return;
    try {
      await this.open(signal);
    } catch (cause) {
      if (errorCode(cause) !== 'storage-locked') throw cause;
      throw new NodeError('rejected', 'another process uses its folder', { cause });
    }
  }

  /** What the lock is held on may be another file by now, of a folder that was restored: then its packs are others too. */
  private verifyAndLock(): Promise<PackStore> {
    return asNodeErrors('opening its folder', async () => {
      try {
        await verifyIdentity(this.directory, this.identity);
        await this.lock.hold();
      } catch (error) {
        this.packs.drop();
        throw error;
      }
      this.packs.dropStale();
      return this.packs.load();
    });
  }

  private async ready(signal: AbortSignal): Promise<PackStore> {
    return this.packs.current ?? this.control.run(() => asNodeErrors('taking in its packs', () => this.packs.load()), signal);
  }

  private async dropIfLost<Answers extends readonly unknown[]>(reading: Promise<Answers>, signal: AbortSignal): Promise<Answers> {
    const { current } = this.packs;
    try {
      return await reading;
    } catch (error) {
      if (!(error instanceof NodeError) || error.kind !== 'unavailable' || this.closed || signal.aborted) throw error;
      this.packs.drop(current);
      await asNodeErrors('reading its identity', () => verifyIdentity(this.directory, this.identity));
      throw error;
    }
  }

  private async verify(signal: AbortSignal): Promise<void> {
    try {
      await this.slots.run(
        () => asNodeErrors('reading its identity', () => verifyIdentity(this.directory, this.identity)),
        signal,
      );
    } catch (error) {
      // The reason of a caller that does not wait any more may be a NodeError, and says nothing of the folder.
      if (error instanceof NodeError && !this.closed && !signal.aborted) this.packs.drop();
      throw error;
    }
  }

  /** Who walks is to see all that the next opening would: what it takes for absent must not rise then. */
  private async beginWalk(signal: AbortSignal): Promise<PackStore> {
    this.admit(signal);
    await this.verify(signal);
    const packs = await this.ready(signal);
    if (!packs.hasUnknown) return packs;
    this.packs.drop(packs, 'its packs are taken in anew, since a write failed half-way');
    return this.ready(signal);
  }

  /** A folder that vanished under the walk reads as if it had ended, and packs that were let go of do not tell what came since. */
  private async endWalk(packs: PackStore, signal: AbortSignal): Promise<void> {
    await this.verify(signal);
    if (packs !== this.packs.current) throw new NodeError('unavailable', 'its packs were taken in anew under the walk');
  }

  private async measure(packs: PackStore): Promise<NodeProbe> {
    const { bytesFreeMin } = this.options;
    await this.shardFiles.verifyFanOut();
    const { bytesFree, bytesTotal, isWritable } = await probeFolder(this.directory, this.isReadOnly ? undefined : this.files);
    if (isWritable) void packs.ballast.restore(bytesFree - bytesFreeMin, bytesTotal);
    return { bytesFree, bytesTotal, full: !isWritable || bytesFree < bytesFreeMin, newestRevision: packs.newestRevision };
  }

  private admit(signal: AbortSignal): void {
    signal.throwIfAborted();
    if (this.closed) throw new NodeError('unavailable', 'it is closed');
  }
}

function isNotFound(answer: unknown): boolean {
  return answer instanceof NodeError && answer.kind === 'not-found';
}
