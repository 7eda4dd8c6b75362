import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../../common/errors.js';
import type { ClusterId } from '../../common/ids.js';
import { mapOrdered } from '../../common/map-ordered.js';
import { NodeError, type Shard, type ShardId } from '../storage-node.js';
import { remove, removeQuietly, syncDirectory, writeWhole } from './durable-files.js';
import type { FileCalls } from './file-calls.js';
import { asNodeError, asNodeErrors } from './file-errors.js';
import { provenPayload, readShardFile, shardFileParts } from './shard-file.js';
import { FAN_OUT, SHARDS_DIRECTORY, openingOfTemp, parseShardName, shardPlace, tempName } from './shard-name.js';
import type { Slots } from './slots.js';

export interface ShardFilesOptions {
  /** The node's folder. */
  readonly directory: string;
  readonly clusterId: ClusterId;
  readonly files: FileCalls;
  readonly slots: Slots;
}

/** File operations of one call under way at once. */
const WIDTH = 8;

/** The shards that have a file each, named by their ids. */
export class ShardFiles {
  /** Tells the temp files of this opening from those that a crash left: exact, unlike any comparison of clocks. */
  readonly opening = randomBytes(8).toString('hex');
  private tempCount = 0;
  /** The size of the file read last: most shards of a cluster are equally long, so it is the best guess for the next one. */
  private bytesExpected = 0;

  constructor(private readonly options: ShardFilesOptions) {}

  async put(shards: readonly Shard[], signal: AbortSignal): Promise<void> {
    const { clusterId, files } = this.options;
    await this.forEach(shards, signal, async (shard) => {
      const { directory, name } = shardPlace(shard);
      const temp = this.path(directory, tempName(name, this.opening, this.tempCount++));
      const parts = shardFileParts(clusterId, shard);
      await asNodeErrors('writing a shard', () => writeWhole(files, { target: this.path(directory, name), temp }, parts));
    });
    await this.syncDirectoriesOf(shards, signal);
  }

  get(ids: readonly ShardId[], signal: AbortSignal): Promise<(Uint8Array | NodeError)[]> {
    return this.forEach(ids, signal, (id) => this.getOne(id));
  }

  async delete(ids: readonly ShardId[], signal: AbortSignal): Promise<void> {
    await this.forEach(ids, signal, async (id) => {
      const { directory, name } = shardPlace(id);
      await asNodeErrors('deleting a shard', () => remove(this.options.files, this.path(directory, name)));
    });
    // Also for those that were not there: an earlier call may have removed them and failed here.
    await this.syncDirectoriesOf(ids, signal);
  }

  /** Walks over the shards; `admit` is called before each. Temp files that a crash left are removed if that is allowed. */
  async *list(admit: () => void, mayRemoveTemps: () => boolean): AsyncGenerator<ShardId, void, undefined> {
    for (const fanOut of FAN_OUT) {
      try {
        yield* this.listFanOut(fanOut, admit, mayRemoveTemps);
      } catch (error) {
        throw asNodeError(error, 'listing its shards');
      }
    }
  }

  /** A node without one of its directories refuses a part of all shards, which no write of a small file would show. */
  async verifyFanOut(): Promise<void> {
    const there = new Set(await readdir(this.path(SHARDS_DIRECTORY)));
    const missing = FAN_OUT.find((name) => !there.has(name));
    if (missing !== undefined)
      throw new NodeError('rejected', `its folder is damaged: ${SHARDS_DIRECTORY}/${missing} is missing`);
  }

  private async *listFanOut(
    fanOut: string,
    admit: () => void,
    mayRemoveTemps: () => boolean,
  ): AsyncGenerator<ShardId, void, undefined> {
    const directory = join(SHARDS_DIRECTORY, fanOut);
    // In one go: a 256th of the names, for one call instead of three or more.
    for (const entry of await readdir(this.path(directory), { withFileTypes: true })) {
      admit();
      if (this.isLeft(entry.name) && mayRemoveTemps()) await removeQuietly(this.options.files, this.path(directory, entry.name));
      const id = entry.isDirectory() ? undefined : parseShardName(fanOut, entry.name);
      if (id !== undefined) yield id;
    }
  }

  /** True for a temp file that another opening left. */
  private isLeft(name: string): boolean {
    const opening = openingOfTemp(name);
    return opening !== undefined && opening !== this.opening;
  }

  private async getOne(id: ShardId): Promise<Uint8Array | NodeError> {
    const { directory, name } = shardPlace(id);
    try {
      const file = await readShardFile(this.path(directory, name), this.bytesExpected);
      this.bytesExpected = file.bytes.byteLength;
      return provenPayload(file, this.options.clusterId, id);
    } catch (cause) {
      if (errorCode(cause) === 'ENOENT') return new NodeError('not-found', 'there is no such shard', { cause });
      const error = asNodeError(cause, 'reading a shard');
      if (error instanceof NodeError) return error;
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
    const { slots } = this.options;
    for await (const result of mapOrdered(items, WIDTH, (item) => slots.run(() => work(item), signal))) results.push(result);
    return results;
  }

  private async syncDirectoriesOf(ids: readonly ShardId[], signal: AbortSignal): Promise<void> {
    const directories = new Set(ids.map((id) => shardPlace(id).directory));
    await this.forEach([...directories], signal, (directory) =>
      asNodeErrors('syncing a directory', () => syncDirectory(this.options.files, this.path(directory))),
    );
  }

  private path(...names: string[]): string {
    return join(this.options.directory, ...names);
  }
}
