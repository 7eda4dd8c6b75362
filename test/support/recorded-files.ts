import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { NODE_FILE_CALLS, type FileCalls } from '../../src/nodes/folder/file-calls.js';

/** A file, whatever its names are: the content is what was written to it. */
interface Inode {
  readonly kind: 'pack' | 'shard' | 'other';
}

type Change =
  | { readonly what: 'write'; readonly inode: Inode; readonly position: number; readonly bytes: Uint8Array }
  | { readonly what: 'create'; readonly directory: string; readonly path: string; readonly inode: Inode }
  | { readonly what: 'rename'; readonly directory: string; readonly from: string; readonly path: string; readonly inode: Inode }
  | { readonly what: 'unlink'; readonly directory: string; readonly path: string };

/** A sync makes durable what was changed before it began: the bytes of a file, or the names in a directory. */
interface Sync {
  readonly what: 'sync';
  readonly of: Inode | string;
  readonly before: number;
}

/** System calls that sync nothing: for looking at what is there. */
export const UNSYNCED_FILE_CALLS: FileCalls = {
  ...NODE_FILE_CALLS,
  fsync: () => Promise.resolve(),
  fdatasync: () => Promise.resolve(),
};

/** Which syncs count for nothing, as if the driver had forgotten them. */
export type IgnoredSyncs = 'packs' | 'shards' | 'directories' | 'none';

const SECTOR_BYTES = 512;

/**
 * System calls that are done and written down, so that what a power cut may leave can be made from any moment of them: each change that
 * was not synced is kept, lost or, if it is a write, torn into sectors. Nothing is really synced, so it is fast.
 */
export class RecordedFiles implements FileCalls {
  private readonly log: (Change | Sync)[] = [];
  private readonly names = new Map<string, Inode>();
  private readonly opened = new Map<number, Inode | string>();

  constructor(
    private readonly root: string,
    private readonly ignored: IgnoredSyncs = 'none',
  ) {}

  /** How much has happened: a moment at which the power may be cut. */
  get position(): number {
    return this.log.length;
  }

  async open(path: string, flags: string | number): Promise<number> {
    const descriptor = await NODE_FILE_CALLS.open(path, flags);
    const name = this.nameOf(path);
    if (typeof flags === 'number') this.opened.set(descriptor, name);
    else {
      const inode: Inode = { kind: name.endsWith('.pack') ? 'pack' : name.startsWith('shards') ? 'shard' : 'other' };
      this.names.set(name, inode);
      this.opened.set(descriptor, inode);
      this.log.push({ what: 'create', directory: dirname(name), path: name, inode });
    }
    return descriptor;
  }

  async close(descriptor: number): Promise<void> {
    this.opened.delete(descriptor);
    await NODE_FILE_CALLS.close(descriptor);
  }

  async write(descriptor: number, bytes: Uint8Array, position: number): Promise<number> {
    const inode = this.opened.get(descriptor) as Inode;
    this.log.push({ what: 'write', inode, position, bytes: bytes.slice() });
    return NODE_FILE_CALLS.write(descriptor, bytes, position);
  }

  fsync(descriptor: number): Promise<void> {
    return this.sync(descriptor);
  }

  fdatasync(descriptor: number): Promise<void> {
    return this.sync(descriptor);
  }

  async rename(from: string, to: string): Promise<void> {
    await NODE_FILE_CALLS.rename(from, to);
    const [old, path] = [this.nameOf(from), this.nameOf(to)];
    const inode = this.names.get(old) as Inode;
    this.names.delete(old);
    this.names.set(path, inode);
    this.log.push({ what: 'rename', directory: dirname(path), from: old, path, inode });
  }

  async unlink(path: string): Promise<void> {
    await NODE_FILE_CALLS.unlink(path);
    const name = this.nameOf(path);
    this.names.delete(name);
    this.log.push({ what: 'unlink', directory: dirname(name), path: name });
  }

  mkdir(path: string): Promise<void> {
    return NODE_FILE_CALLS.mkdir(path);
  }

  /** Makes of a copy of the folder as it was before what a power cut at a moment may leave. */
  cut(position: number, { template, target, random }: { template: string; target: string; random: () => number }): void {
    cpSync(template, target, { recursive: true });
    const past = this.log.slice(0, position);
    const syncs = past.filter((entry) => entry.what === 'sync');
    const names = new Map<string, Inode>();
    const contents = new Map<Inode, Buffer>();
    for (const [at, entry] of past.entries()) {
      if (entry.what === 'sync') continue;
      const of = entry.what === 'write' ? entry.inode : entry.directory;
      const isDurable = syncs.some((sync) => sync.of === of && sync.before > at);
      if (entry.what === 'write')
        contents.set(entry.inode, written(contents.get(entry.inode), entry, isDurable ? undefined : random));
      else if (isDurable || random() < 0.5) rename(names, entry);
    }
    for (const [name, inode] of names) {
      mkdirSync(dirname(join(target, name)), { recursive: true });
      writeFileSync(join(target, name), contents.get(inode) ?? '');
    }
  }

  private async sync(descriptor: number): Promise<void> {
    const of = this.opened.get(descriptor) as Inode | string;
    const before = this.log.length;
    await new Promise((resolve) => setImmediate(resolve));
    const kind = typeof of === 'string' ? 'directories' : `${of.kind}s`;
    if (kind !== this.ignored) this.log.push({ what: 'sync', of, before });
  }

  private nameOf(path: string): string {
    return relative(this.root, path);
  }
}

function rename(names: Map<string, Inode>, change: Exclude<Change, { what: 'write' }>): void {
  if (change.what === 'rename') names.delete(change.from);
  if (change.what === 'unlink') names.delete(change.path);
  else names.set(change.path, change.inode);
}

/** The content after a write: whole, or without those sectors of it (perhaps all) that chance takes. */
function written(
  content: Buffer | undefined,
  { position, bytes }: { readonly position: number; readonly bytes: Uint8Array },
  random: (() => number) | undefined,
): Buffer {
  const odds = random === undefined ? 1 : [0, 0.5, 1][Math.floor(random() * 3)]!;
  let result = content ?? Buffer.alloc(0);
  for (let from = 0; from < bytes.byteLength; from += SECTOR_BYTES) {
    if (odds < 1 && (odds === 0 || random!() > odds)) continue;
    const part = bytes.subarray(from, from + SECTOR_BYTES);
    const end = position + from + part.byteLength;
    if (end > result.byteLength) result = Buffer.concat([result, Buffer.alloc(end - result.byteLength)]);
    result.set(part, position + from);
  }
  return result;
}
