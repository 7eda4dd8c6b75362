import { Worker } from 'node:worker_threads';
import { packageFile } from '../common/package-file.js';
import { totalBytes } from '../common/total-bytes.js';

/** What the thread is to do. */
export interface DigestOrder {
  /** Of one body. */
  readonly id: number;
  /** What of it follows on what came before. */
  readonly pieces: readonly Uint8Array<ArrayBuffer>[];
  /** It ends with these: its sum is wanted, or nothing any more. Absent: more comes. */
  readonly end?: 'sum' | 'drop';
}

export interface DigestAnswer {
  readonly id: number;
  /** Of the order. */
  readonly bytes: number;
  readonly sum?: Uint8Array;
}

/** Bytes that may wait to be digested, of all bodies together. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024;

/**
 * Digests bodies in a thread of its own, beside the event loop. The memory of their pieces goes over to it, and is not copied. It begins with the
 * first body, does not keep the process, and is begun anew if it ended, unless it never ran.
 */
export class DigestThread {
  private running: RunningThread | undefined;

  /** @param program of the thread; absent: that of the build */
  constructor(private readonly program: () => URL = () => packageFile('dist/crypto/digest-worker.js')) {}

  /** The digest of a new body; undefined if no thread can be had. */
  begin(): StepDigest | undefined {
    if (this.running?.failure !== undefined && this.running.hasAnswered) this.running = undefined;
    this.running ??= new RunningThread(this.program());
    return this.running.failure === undefined ? new ThreadDigest(this.running) : undefined;
  }
}

/** The digest of one body, of which the pieces come step by step. */
export interface StepDigest {
  /** Resolves when no more waits to be digested than may; undefined if that is so. */
  readonly busy: Promise<undefined> | undefined;
  /** Takes the next pieces over. @throws Error if it cannot be known any more */
  send(pieces: readonly Uint8Array[]): void;
  /** SHA-256 of the body, which these pieces end. @throws Error if it cannot be known any more */
  sum(pieces: readonly Uint8Array[]): Promise<Uint8Array>;
  /** Forgets it. */
  drop(): void;
}

class ThreadDigest implements StepDigest {
  private readonly id: number;

  constructor(private readonly thread: RunningThread) {
    this.id = thread.newId();
  }

  get busy(): Promise<undefined> | undefined {
    return this.thread.busy;
  }

  send(pieces: readonly Uint8Array[]): void {
    this.thread.post({ id: this.id, pieces: pieces.map(ownBuffer) });
  }

  sum(pieces: readonly Uint8Array[]): Promise<Uint8Array> {
    return this.thread.ask({ id: this.id, pieces: pieces.map(ownBuffer), end: 'sum' });
  }

  drop(): void {
    if (this.thread.failure === undefined) this.thread.post({ id: this.id, pieces: [], end: 'drop' });
  }
}

class RunningThread {
  failure: Error | undefined;
  hasAnswered = false;
  private readonly worker: Worker;
  private readonly sums = new Map<number, PromiseWithResolvers<Uint8Array>>();
  private ids = 0;
  private waitingBytes = 0;
  private full: PromiseWithResolvers<undefined> | undefined;

  constructor(program: URL) {
    this.worker = new Worker(program);
    this.worker.on('message', (answer: DigestAnswer) => this.take(answer));
    this.worker.on('error', (error) => this.fail(error));
    this.worker.on('exit', () => this.fail(new Error('it left')));
    this.worker.unref();
  }

  get busy(): Promise<undefined> | undefined {
    return this.full?.promise;
  }

  newId(): number {
    return (this.ids += 1);
  }

  post(order: DigestOrder): void {
    if (this.failure !== undefined) throw this.failure;
    const bytes = totalBytes(order.pieces);
    this.worker.postMessage(
      order,
      order.pieces.map(({ buffer }) => buffer),
    );
    this.waitingBytes += bytes;
    if (this.waitingBytes > WAITING_BYTES_MAX) this.full ??= Promise.withResolvers();
  }

  async ask(order: DigestOrder): Promise<Uint8Array> {
    this.post(order);
    const sum = Promise.withResolvers<Uint8Array>();
    this.sums.set(order.id, sum);
    return sum.promise;
  }

  private take({ id, bytes, sum }: DigestAnswer): void {
    this.hasAnswered = true;
    this.waitingBytes -= bytes;
    if (this.waitingBytes <= WAITING_BYTES_MAX) this.giveRoom();
    if (sum === undefined) return;
    this.sums.get(id)?.resolve(sum);
    this.sums.delete(id);
  }

  private fail(cause: unknown): void {
    this.failure ??= new Error('the thread that digests bodies ended', { cause });
    for (const { reject } of this.sums.values()) reject(this.failure);
    this.sums.clear();
    this.giveRoom();
  }

  private giveRoom(): void {
    this.full?.resolve(undefined);
    this.full = undefined;
  }
}

/** The piece, if it has a buffer to itself, else a copy that has: only whole buffers go over to another thread. */
function ownBuffer(piece: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, length } = piece;
  return buffer instanceof ArrayBuffer && buffer.byteLength === length
    ? (piece as Uint8Array<ArrayBuffer>)
    : new Uint8Array(piece);
}
