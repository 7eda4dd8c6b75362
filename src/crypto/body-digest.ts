import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { release } from '../common/release.js';
import { DigestThread, type StepDigest } from './digest-thread.js';

/** A body up to this size is digested at its end: that costs less than to wake a thread. */
const HELD_BYTES_MAX = 1024 * 1024;
/** A piece counts as so much at least: each costs something, and many slivers would be many. */
const PIECE_BYTES_LEAST = 4 * 1024;
/** Of a larger one so much goes to the thread at once. */
const SENT_BYTES = 512 * 1024;

const sharedThread = availableParallelism() > 1 ? new DigestThread() : null;

export interface BodyDigestOptions {
  /** Null: all is digested here, as where there is but one processor. */
  readonly thread?: DigestThread | null;
  /** Given each piece that was digested here. */
  readonly letGo?: (piece: Uint8Array) => void;
}

/** SHA-256 of a body whose pieces it is given one after the other: digested here, or in a thread if they are many. */
export class BodyDigest {
  private readonly thread: DigestThread | null;
  private readonly letGo: (piece: Uint8Array) => void;
  private held: Uint8Array[] = [];
  private heldBytes = 0;
  private digest: StepDigest | undefined;

  constructor({ thread = sharedThread, letGo = release }: BodyDigestOptions = {}) {
    this.thread = thread;
    this.letGo = letGo;
  }

  /** Takes a piece over, which nobody else may use any more if it is one of many. */
  take(piece: Uint8Array): void {
    this.held.push(piece);
    this.heldBytes += Math.max(PIECE_BYTES_LEAST, piece.length);
    if (this.heldBytes <= (this.digest === undefined ? HELD_BYTES_MAX : SENT_BYTES)) return;
    this.digest ??= this.thread?.begin() ?? new OwnDigest(this.letGo);
    this.digest.send(this.taken());
  }

  /** Resolves when more should be taken; undefined: now. */
  get busy(): Promise<undefined> | undefined {
    return this.digest?.busy;
  }

  /** The digest of all that was taken; once. @throws Error if the thread ended */
  async sum(): Promise<Uint8Array> {
    return (this.digest ?? new OwnDigest(this.letGo)).sum(this.taken());
  }

  /** Ends it, where no sum is wanted any more. */
  drop(): void {
    this.held = [];
    this.digest?.drop();
  }

  private taken(): readonly Uint8Array[] {
    const { held } = this;
    this.held = [];
    this.heldBytes = 0;
    return held;
  }
}

class OwnDigest implements StepDigest {
  readonly busy = undefined;
  private readonly hash = createHash('sha256');

  constructor(private readonly letGo: (piece: Uint8Array) => void) {}

  send(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) {
      this.hash.update(piece);
      this.letGo(piece);
    }
  }

  sum(pieces: readonly Uint8Array[]): Promise<Uint8Array> {
    this.send(pieces);
    return Promise.resolve(this.hash.digest());
  }

  drop(): void {
    this.hash.destroy();
  }
}
