import { removeQuietly, syncDirectory } from './durable-files.js';
import { verifyIdentity } from './node-identity.js';
import { CopyWriting } from './pack-copies.js';
import type { PackDescriptors } from './pack-descriptors.js';
import { PACK_HEADER_BYTES, packSeed } from './pack-format.js';
import type { PackIndex, PackInfo } from './pack-index.js';
import type { PackFolder } from './pack-load.js';
import { packPath, sidecarPath } from './pack-names.js';
import { scanPack } from './pack-scan.js';
import type { PackWriter } from './pack-writer.js';

export interface CompactionLimits {
  readonly pack_bytes_max: number;
  readonly compact_dead_percent: number;
  readonly compact_rest_dead_percent: number;
  readonly compact_rest_ms: number;
  readonly compact_bytes_per_second: number;
}

export interface CompactorOptions {
  readonly folder: PackFolder;
  readonly index: PackIndex;
  readonly writer: PackWriter;
  readonly descriptors: PackDescriptors;
  readonly limits: CompactionLimits;
}

const LOOK_MS_MAX = 1000;
/** Packs smaller than this part of a full one are merged when there are many: each restart leaves one. */
const SMALL_PART = 4;
const SMALL_PACKS_MAX = 8;
/** The newest pack is kept even when nothing in it counts, unless it wins at least this. */
const WORTH_BYTES = 65_536;
/** What failed, on a full disk for one, is tried again after this time. */
const RETRY_MS = 60_000;
/** What is damaged may have been put anew by then. */
const DAMAGED_RETRY_MS = 3_600_000;

/** Wins back the space of what was removed or replaced, behind everybody's back and no faster than it may. */
export class PackCompactor {
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private mergeUpTo = 0;

  constructor(private readonly options: CompactorOptions) {}

  start(): void {
    const { compact_rest_ms } = this.options.limits;
    this.timer = setInterval(() => void this.look(), Math.min(LOOK_MS_MAX, Math.max(10, compact_rest_ms / 4)));
    this.timer.unref();
  }

  /** Resolves when nothing of it is under way; safe to call twice. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort(new Error('it is closed'));
    await this.running;
  }

  /** Compacts pack after pack until none is worth it. One that fails is left alone for a while: the data is where it was. */
  look(isResting = this.isResting()): Promise<void> {
    this.running ??= this.work(isResting).finally(() => (this.running = undefined));
    return this.running;
  }

  private async work(isResting: boolean): Promise<void> {
    for (let info = this.choose(isResting); info !== undefined; info = this.choose(isResting)) {
      if (this.stopping.signal.aborted) return;
      try {
        await this.compact(info);
      } catch {
        info.leftAloneUntil = performance.now() + RETRY_MS;
      }
    }
  }

  private isResting(): boolean {
    return performance.now() - this.options.writer.lastWriteAt >= this.options.limits.compact_rest_ms;
  }

  private choose(isResting: boolean): PackInfo | undefined {
    const { index, limits } = this.options;
    const now = performance.now();
    const newest = this.newestSeq();
    if (isResting) this.endPack(newest);
    const sealed = [...index.packs.values()].filter((info) => !info.isActive && info.leftAloneUntil <= now);
    let best: PackInfo | undefined;
    let most = isResting ? limits.compact_rest_dead_percent : limits.compact_dead_percent;
    for (const info of sealed) {
      const percent = this.deadPercent(info);
      if (percent <= most || (info.seq === newest && info.bytes <= WORTH_BYTES)) continue;
      best = info;
      most = percent;
    }
    return best ?? (isResting ? (this.smallOne(sealed) ?? this.oldestBehindRemovals(sealed)) : undefined);
  }

  /** Ends the pack that is appended to when it has something to win: a small node has no other. */
  private endPack(seq: number): void {
    const { index, limits, writer } = this.options;
    const info = index.packs.get(seq);
    const isWorth = info !== undefined && info.isActive && info.bytes > WORTH_BYTES;
    if (isWorth && this.deadPercent(info) > limits.compact_rest_dead_percent) writer.endPack(seq);
  }

  private smallOne(sealed: readonly PackInfo[]): PackInfo | undefined {
    const small = sealed.filter(({ bytes }) => bytes < this.options.limits.pack_bytes_max / SMALL_PART);
    if (small.length >= SMALL_PACKS_MAX) this.mergeUpTo = Math.max(...small.map(({ seq }) => seq));
    return small.find(({ seq }) => seq <= this.mergeUpTo);
  }

  /** Removals are needed because of older packs; when they become many the oldest pack is moved, until they are not needed any more. */
  private oldestBehindRemovals(sealed: readonly PackInfo[]): PackInfo | undefined {
    const { index, limits } = this.options;
    let bytes = 0;
    let removals = 0;
    for (const info of index.packs.values()) {
      bytes += info.bytes;
      removals += index.isOldest(info.seq) ? 0 : info.removals;
    }
    const oldest = sealed[0];
    const isWorth = removals > WORTH_BYTES && removals * 100 > bytes * limits.compact_rest_dead_percent;
    return isWorth && oldest !== undefined && index.isOldest(oldest.seq) ? oldest : undefined;
  }

  private deadPercent(info: PackInfo): number {
    const whole = info.bytes - PACK_HEADER_BYTES;
    return whole <= 0 ? 100 : (100 * this.options.index.deadBytes(info)) / whole;
  }

  private newestSeq(): number {
    let newest = 0;
    for (const seq of this.options.index.packs.keys()) newest = seq;
    return newest;
  }

  private async compact(info: PackInfo): Promise<void> {
    const { index, writer } = this.options;
    if (info.seq === this.newestSeq()) await writer.submit([], 'copy', this.stopping.signal); // the next pack's header keeps the newest revision
    info.leftAloneUntil = 0;
    const hasRemovals = info.removals > 0 && !index.isOldest(info.seq);
    if (info.live > 0 || hasRemovals) await this.move(info);
    // What no entry was found for is damaged: its key leads there, and says so to whoever asks.
    if (info.live > 0) info.leftAloneUntil = performance.now() + DAMAGED_RETRY_MS;
    if (info.leftAloneUntil === 0) await this.unlink(info);
  }

  private async move(info: PackInfo): Promise<void> {
    const { folder, index, writer, descriptors } = this.options;
    let removals = 0;
    const read = (bytes: Uint8Array, position: number): Promise<number> => descriptors.read(info.seq, bytes, position);
    for await (const chunk of scanPack({ size: info.bytes, seed: packSeed(folder.identity, info.seq), read })) {
      const copies = new CopyWriting(chunk, info, index);
      if (copies.bytesMax > 0) await writer.submit([copies], 'copy', this.stopping.signal);
      if (copies.hasStuck) info.leftAloneUntil = performance.now() + DAMAGED_RETRY_MS;
      removals += copies.removals;
      await this.pause(copies.bytesMax);
    }
    // Nobody can say any more what a damaged one removed, or even that it was one: as long as the pack stays, its sidecar does.
    if (removals < info.removals && !index.isOldest(info.seq)) info.leftAloneUntil = performance.now() + DAMAGED_RETRY_MS;
  }

  /** The copies are durable by now. The name is gone for good before the next step, which may rely on it: a removal is dropped only then. */
  private async unlink({ seq }: PackInfo): Promise<void> {
    const { folder, index, descriptors } = this.options;
    await verifyIdentity(folder.directory, folder.identity);
    await folder.files.unlink(packPath(folder.packs, seq));
    await removeQuietly(folder.files, sidecarPath(folder.packs, seq));
    await syncDirectory(folder.files, folder.packs);
    index.packs.delete(seq);
    descriptors.drop(seq);
  }

  private async pause(bytes: number): Promise<void> {
    const { signal } = this.stopping;
    const ms = (1000 * bytes) / this.options.limits.compact_bytes_per_second;
    if (ms >= 1 && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      const timer = setTimeout(() => resolve(undefined), ms);
      timer.unref();
      const onAbort = (): void => resolve(undefined);
      signal.addEventListener('abort', onAbort, { once: true });
      await promise;
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
    signal.throwIfAborted();
  }
}
