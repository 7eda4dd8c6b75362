import { NodeError } from '../storage-node.js';
import { ActivePack } from './active-pack.js';
import { asNodeError } from './file-errors.js';
import { entryBytes, type EntryBytes } from './pack-format.js';
import type { PackIndex } from './pack-index.js';
import type { PackFolder } from './pack-load.js';
import type { Writing } from './pack-writings.js';

export interface PackWriterOptions {
  readonly folder: PackFolder;
  readonly index: PackIndex;
  readonly packBytesMax: number;
  readonly belowLeast: number;
  readonly nextSeq: number;
  /** Gives back the space kept for deletions; false if there was none. */
  readonly releaseBallast: () => Promise<boolean>;
  /** Called when the packs are no longer where they were: nothing that is known of them holds. */
  readonly onLost: () => void;
}

/** `copy`: of entries that are there already, moved by compaction. `removal`: makes space, so it may use the ballast. */
export type WritingKind = 'put' | 'removal' | 'copy';

interface Request {
  readonly writings: readonly Writing[];
  readonly kind: WritingKind;
  readonly bytesMax: number;
  readonly resolve: () => void;
  readonly reject: (reason: Error) => void;
}

/** As much as is written with one sync, unless a single request is larger. */
const GROUP_BYTES = 2 * 1024 * 1024;

/**
 * The one writer of a node's packs: it takes all that waits, writes it with one call, syncs once and answers all. While it syncs the next
 * group gathers, so the more is asked for the less each costs.
 */
export class PackWriter {
  private copies: Request[] = [];
  private queue: Request[] = [];
  private running: Promise<void> | undefined;
  private active: ActivePack | undefined;
  private buffer: EntryBytes | undefined;
  private nextSeq: number;
  private stopped: NodeError | undefined;
  private isDisowned = false;
  private readonly sealing = new Set<Promise<void>>();
  /** True if entries may be on the disk that the index does not know, because writing them failed half-way. */
  hasUnknown = false;
  lastWriteAt = 0;

  constructor(private readonly options: PackWriterOptions) {
    this.nextSeq = options.nextSeq;
  }

  /** True if this process has begun a pack. */
  get hasBegun(): boolean {
    return this.active !== undefined;
  }

  /** Appends; resolves when it is durable and in the index. Without writings it only sees to it that a pack was begun. */
  async submit(writings: readonly Writing[], kind: WritingKind, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.stopped !== undefined) throw this.stopped;
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const bytesMax = writings.reduce((sum, writing) => sum + writing.bytesMax, 0);
    const request: Request = { writings, kind, bytesMax, resolve: () => resolve(undefined), reject };
    (kind === 'copy' ? this.copies : this.queue).push(request);
    this.running ??= this.run();
    const onAbort = (): void => {
      // What is in a group already goes on: its caller hears of it when it has ended.
      const position = this.queue.indexOf(request);
      if (position < 0) return;
      this.queue.splice(position, 1);
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Refuses what waits, ends what is under way and closes the pack; one that is intact gets its sidecar. Safe to call twice. */
  async stop(reason: NodeError): Promise<void> {
    this.stopped ??= reason;
    this.refuse(this.stopped);
    await this.running;
    if (this.active !== undefined) this.seal(this.active);
    await Promise.all(this.sealing);
  }

  /** Ends the pack that is appended to, if nothing is under way: what is dead in it can be won back then. */
  endPack(seq: number): void {
    if (this.running === undefined && this.stopped === undefined && this.active?.seq === seq) this.seal(this.active);
  }

  /** What is under way still ends; after that nothing is written any more, neither sidecar nor anything else. */
  disown(): void {
    this.isDisowned = true;
  }

  private async run(): Promise<void> {
    await Promise.resolve(); // so that all that is asked in this turn is one group
    while (this.copies.length + this.queue.length > 0) {
      const group = this.take();
      try {
        await this.commit(group);
        for (const { resolve } of group) resolve();
      } catch (error) {
        await this.recover(group, asNodeError(error, 'writing a pack'));
      }
    }
    this.running = undefined;
  }

  /** Copies come first: whether they still count is decided against the index, which does not know the removals of this group yet. */
  private take(): Request[] {
    const group: Request[] = [];
    let bytes = 0;
    for (const waiting of [this.copies, this.queue]) {
      let count = 0;
      for (const { bytesMax } of waiting) {
        if (group.length + count > 0 && bytes + bytesMax > GROUP_BYTES) break;
        bytes += bytesMax;
        count += 1;
      }
      group.push(...waiting.splice(0, count));
    }
    return group;
  }

  /** On a full disk deletions are tried once more, alone and with the ballast's space: else nothing could ever be deleted from it. */
  private async recover(group: readonly Request[], error: Error): Promise<void> {
    const isFull = error instanceof NodeError && error.kind === 'full';
    const removals = isFull ? group.filter(({ kind }) => kind === 'removal') : [];
    let failure: Error | undefined = error;
    if (removals.length > 0 && (await this.options.releaseBallast().catch(() => false))) {
      failure = await this.commit(removals).then(
        () => undefined,
        (again: unknown) => asNodeError(again, 'writing a removal'),
      );
    }
    for (const request of group) {
      if (failure === undefined && request.kind === 'removal') request.resolve();
      else request.reject(failure ?? error);
    }
  }

  private async commit(group: readonly Request[]): Promise<void> {
    const bytesMax = group.reduce((sum, request) => sum + request.bytesMax, 0);
    const active = await this.packFor(bytesMax);
    const buffer = this.bufferOf(active.headerBytes + bytesMax);
    const target = { ...buffer, seed: active.seed, start: active.bytes };
    let end = active.writeHeader(buffer.bytes);
    for (const { writings } of group) for (const writing of writings) end = writing.compose(target, end);
    if (end === 0) return;
    try {
      await active.append(buffer.bytes.subarray(0, end));
    } catch (error) {
      this.abandon(active);
      throw error;
    }
    active.takeIn(buffer, end, this.options.index);
    if (group.some(({ kind }) => kind !== 'copy')) this.lastWriteAt = performance.now();
  }

  private async packFor(bytes: number): Promise<ActivePack> {
    const { active, options } = this;
    if (active !== undefined && (active.isEmpty || active.bytes + bytes <= options.packBytesMax)) return active;
    if (active !== undefined) this.seal(active);
    const { folder, index, belowLeast } = options;
    const header = { seq: this.nextSeq++, belowLeast, newestRevision: index.newestRevision };
    this.active = await ActivePack.begin(folder, header);
    index.addPack(header.seq, true);
    return this.active;
  }

  /** After a failed write or sync nobody knows what is on the disk, and a second sync would not say: nothing is appended to that pack again. */
  private abandon(active: ActivePack): void {
    const { index, onLost } = this.options;
    this.hasUnknown = true;
    this.active = undefined;
    const info = index.packs.get(active.seq);
    if (info !== undefined) info.isActive = false;
    if (active.isEmpty) index.packs.delete(active.seq);
    this.track(active.discard());
    if (active.isLost) onLost();
  }

  private seal(active: ActivePack): void {
    this.active = undefined;
    const info = this.options.index.packs.get(active.seq);
    if (info !== undefined) info.isActive = false;
    this.track(this.isDisowned ? active.release() : active.seal());
  }

  private track(work: Promise<void>): void {
    const ended = work.catch(() => undefined).finally(() => this.sealing.delete(ended));
    this.sealing.add(ended);
  }

  private bufferOf(bytes: number): EntryBytes {
    if (bytes > GROUP_BYTES + 4096) return entryBytes(bytes);
    if (this.buffer === undefined || this.buffer.bytes.byteLength < bytes)
      this.buffer = entryBytes(Math.min(GROUP_BYTES + 4096, Math.max(65_536, 2 * bytes)));
    return this.buffer;
  }

  private refuse(reason: Error): void {
    for (const { reject } of [...this.copies.splice(0), ...this.queue.splice(0)]) reject(reason);
  }
}
