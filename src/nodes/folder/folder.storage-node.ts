import { randomBytes } from 'node:crypto';
import { opendir, readdir, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../../common/errors.js';
import type { ClusterId, NodeId } from '../../common/ids.js';
import { mapOrdered } from '../../common/map-ordered.js';
import { NodeError, StorageNode, type NodeProbe, type Shard, type ShardId } from '../storage-node.js';
import { createFolder } from './create-folder.js';
import { remove, removeQuietly, syncDirectory, writeWhole } from './durable-files.js';
import { asNodeError, asNodeErrors } from './file-errors.js';
import { FolderLock } from './folder-lock.js';
import { verifyIdentity, type NodeIdentity } from './node-identity.js';
import { provenPayload, readShardFile, shardFileParts } from './shard-file.js';
import { FAN_OUT, SHARDS_DIRECTORY, openingOfTemp, parseShardName, shardPlace, tempName } from './shard-name.js';
import { Slots } from './slots.js';

export interface FolderStorageNodeOptions {
  /** The absolute path of the node's folder; the directory around it exists. */
  readonly directory: string;
  readonly number: number;
  readonly clusterId: ClusterId;
  readonly nodeId: NodeId;
  /** With less free space than this the node calls itself full. */
  readonly bytesFreeMin: number;
}

/** File operations of one node under way at once; see {@link Slots}. */
const WIDTH = 8;
const PROBE_FILE = 'probe.temp';
const LIST_READ_AHEAD = 128;

/**
 * A node that is a folder: one file for each shard, written durably and named by its id (`docs/format.md`). One process at a time.
 * Reading takes no lock and no look at the identity, since each shard proves by itself whose it is; the first write takes both.
 */
export class FolderStorageNode extends StorageNode {
  override readonly number: number;
  private readonly directory: string;
  private readonly identity: NodeIdentity;
  private readonly bytesFreeMin: number;
  private readonly lock: FolderLock;
  private readonly slots = new Slots(WIDTH);
  /** Opening and probing go one at a time: the lock asks for it, and probes of a disk that hangs would pile up, one thread each second. */
  private readonly control = new Slots(1);
  /** Tells the temp files of this opening from those that a crash left: exact, unlike any comparison of clocks. */
  private readonly opening = randomBytes(8).toString('hex');
  private tempCount = 0;
  /** The size of the file read last: most shards of a cluster are equally long, so it is the best guess for the next one. */
  private bytesExpected = 0;
  private closed = false;

  constructor(options: FolderStorageNodeOptions) {
    super();
    const { directory, number, clusterId, nodeId, bytesFreeMin } = options;
    this.directory = directory;
    this.number = number;
    this.identity = { clusterId, nodeId, node: number };
    this.bytesFreeMin = bytesFreeMin;
    this.lock = new FolderLock(directory);
  }

  /**
   * Makes the folder of a node that never existed and opens it; only opens it if it is there already. Not for a node that did exist:
   * whether it did, the caller knows. Throws `rejected` for a folder that is not empty or is another node's, `storage-locked`.
   */
  static async create(options: FolderStorageNodeOptions, signal: AbortSignal): Promise<FolderStorageNode> {
    signal.throwIfAborted();
    const node = new FolderStorageNode(options);
    try {
      await asNodeErrors('making its folder', () => createFolder(options.directory, node.identity, node.lock));
      return node;
    } catch (error) {
      await node.close();
      throw error;
    }
  }

  /** Proves that the folder is that of this node and locks it. The first write and each probe do so too, if it was not called. */
  async open(signal: AbortSignal): Promise<void> {
    this.admit(signal);
    await this.control.run(() => this.verifyAndLock(), signal);
  }

  override async put(batch: readonly Shard[], signal: AbortSignal): Promise<void> {
    await this.admitChange(signal);
    await this.forEach(batch, signal, async (shard) => {
      const { directory, name } = shardPlace(shard);
      const temp = this.path(directory, tempName(name, this.opening, this.tempCount++));
      const parts = shardFileParts(this.identity.clusterId, shard);
      await asNodeErrors('writing a shard', () => writeWhole({ target: this.path(directory, name), temp }, parts));
    });
    await this.syncDirectoriesOf(batch, signal);
    // Last of all, so that it vouches for what was written: while a probe has not seen it yet, another node may lie in this place.
    await this.verify(signal);
  }

  override async get(ids: readonly ShardId[], signal: AbortSignal): Promise<readonly (Uint8Array | NodeError)[]> {
    this.admit(signal);
    const answers = await this.forEach(ids, signal, (id) => this.getOne(id));
    // After the last read, so that it vouches for all of them: "not found" is no answer of a folder that is not there.
    const isAnyMissing = answers.some((answer) => answer instanceof NodeError && answer.kind === 'not-found');
    if (isAnyMissing) await this.verify(signal);
    return answers;
  }

  override async delete(ids: readonly ShardId[], signal: AbortSignal): Promise<void> {
    await this.admitChange(signal);
    await this.verify(signal); // another node that lies in this place must not lose anything
    await this.forEach(ids, signal, async (id) => {
      const { directory, name } = shardPlace(id);
      await asNodeErrors('deleting a shard', () => remove(this.path(directory, name)));
    });
    // Also for those that were not there: an earlier call may have removed them and failed here.
    await this.syncDirectoriesOf(ids, signal);
  }

  override async *list(signal: AbortSignal): AsyncGenerator<ShardId, void, undefined> {
    this.admit(signal);
    await this.verify(signal);
    for (const fanOut of FAN_OUT) yield* this.listFanOut(fanOut, signal);
    // The directory of a folder that vanished under the walk reads as if it had ended.
    await this.verify(signal);
  }

  override async probe(signal: AbortSignal): Promise<NodeProbe> {
    this.admit(signal);
    return this.control.run(async () => {
      await this.verifyAndLock();
      signal.throwIfAborted();
      return asNodeErrors('probing', () => this.measure());
    }, signal);
  }

  /** Waits for what is under way, then gives the lock back. */
  override async close(): Promise<void> {
    this.closed = true;
    await Promise.all([this.slots.close(), this.control.close()]);
    this.lock.release();
  }

  /** A lock that another process has is fatal at a start; later it is this node alone that cannot be used. */
  private async admitChange(signal: AbortSignal): Promise<void> {
    this.admit(signal);
    if (this.lock.isHeld) return;
    try {
      await this.open(signal);
    } catch (cause) {
      if (errorCode(cause) !== 'storage-locked') throw cause;
      throw new NodeError('rejected', 'another process uses its folder', { cause });
    }
  }

  private async verifyAndLock(): Promise<void> {
    await asNodeErrors('opening its folder', async () => {
      await verifyIdentity(this.directory, this.identity);
      await this.lock.hold();
    });
  }

  private verify(signal: AbortSignal): Promise<void> {
    return this.slots.run(
      () => asNodeErrors('reading its identity', () => verifyIdentity(this.directory, this.identity)),
      signal,
    );
  }

  private async getOne(id: ShardId): Promise<Uint8Array | NodeError> {
    const { directory, name } = shardPlace(id);
    try {
      const file = await readShardFile(this.path(directory, name), this.bytesExpected);
      this.bytesExpected = file.bytes.byteLength;
      return provenPayload(file, this.identity.clusterId, id);
    } catch (cause) {
      if (errorCode(cause) === 'ENOENT') return new NodeError('not-found', 'there is no such shard', { cause });
      const error = asNodeError(cause, 'reading a shard');
      if (error instanceof NodeError) return error;
      throw error;
    }
  }

  private async *listFanOut(fanOut: string, signal: AbortSignal): AsyncGenerator<ShardId, void, undefined> {
    const directory = join(SHARDS_DIRECTORY, fanOut);
    try {
      for await (const entry of await opendir(this.path(directory), { bufferSize: LIST_READ_AHEAD })) {
        this.admit(signal);
        const opening = openingOfTemp(entry.name);
        // Without the lock the temp file may be one that another process is writing now.
        if (opening !== undefined && opening !== this.opening && this.lock.isHeld)
          await removeQuietly(this.path(directory, entry.name));
        const id = entry.isDirectory() ? undefined : parseShardName(fanOut, entry.name);
        if (id !== undefined) yield id;
      }
    } catch (error) {
      throw asNodeError(error, 'listing its shards');
    }
  }

  /** A node without one of its directories refuses a part of all shards, which no write of a small file would show. */
  private async verifyFanOut(): Promise<void> {
    const there = new Set(await readdir(this.path(SHARDS_DIRECTORY)));
    const missing = FAN_OUT.find((name) => !there.has(name));
    if (missing !== undefined)
      throw new NodeError('rejected', `its folder is damaged: ${SHARDS_DIRECTORY}/${missing} is missing`);
  }

  private async measure(): Promise<NodeProbe> {
    await this.verifyFanOut();
    const isWritable = await this.isWritable();
    const { bavail, blocks, bsize } = await statfs(this.directory);
    const bytesFree = bavail * bsize;
    return { bytesFree, bytesTotal: blocks * bsize, full: !isWritable || bytesFree < this.bytesFreeMin };
  }

  /** Writes a small file and removes it; false if there is no space for it. No fsync: under load it would take longer than a probe may. */
  private async isWritable(): Promise<boolean> {
    const path = this.path(PROBE_FILE);
    try {
      await writeFile(path, this.opening);
      await remove(path);
      return true;
    } catch (cause) {
      await removeQuietly(path);
      const error = asNodeError(cause, 'writing a small file');
      if (error instanceof NodeError && error.kind === 'full') return false;
      throw error;
    }
  }

  /** Works on each item, with the node's bounded width; when one fails no further one starts, and it is thrown when all have ended. */
  private async forEach<Item, Result>(
    items: readonly Item[],
    signal: AbortSignal,
    work: (item: Item) => Promise<Result>,
  ): Promise<Result[]> {
    const results: Result[] = [];
    for await (const result of mapOrdered(items, WIDTH, (item) => this.slots.run(() => work(item), signal))) results.push(result);
    return results;
  }

  private async syncDirectoriesOf(ids: readonly ShardId[], signal: AbortSignal): Promise<void> {
    const directories = new Set(ids.map((id) => shardPlace(id).directory));
    await this.forEach([...directories], signal, (directory) =>
      asNodeErrors('syncing a directory', () => syncDirectory(this.path(directory))),
    );
  }

  private admit(signal: AbortSignal): void {
    signal.throwIfAborted();
    if (this.closed) throw new NodeError('unavailable', 'it is closed');
  }

  private path(...names: string[]): string {
    return join(this.directory, ...names);
  }
}
