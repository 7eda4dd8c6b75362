/** Pieces of one segment that are kept apart; beyond it they are slivers, and each would cost more memory than its bytes. */
const PIECES_MAX = 64;

/**
 * Cuts a plaintext that comes in pieces of any size into segments. A segment is given out only when a byte after it is known, because
 * a final segment is sealed differently. Pieces are kept as they came, not copied, except when a segment comes in more than 64 of them.
 */
export class SegmentGatherer {
  private pieces: Uint8Array[] = [];
  private held = 0;
  private scratch: Uint8Array | undefined;
  private inScratch = false;

  constructor(private readonly plainBytesMax: number) {}

  /** Bytes of what was pushed last that were not given out yet. */
  get heldBytes(): number {
    return this.held;
  }

  /** The segments that `plain` completes. The pieces of each are valid until the next one is asked for. */
  *push(plain: Uint8Array): Generator<readonly Uint8Array[], void, undefined> {
    for (let from = 0; from < plain.length;) {
      if (this.held === this.plainBytesMax) yield this.take();
      const to = Math.min(plain.length, from + this.plainBytesMax - this.held);
      this.hold(plain.subarray(from, to));
      from = to;
    }
  }

  /** Gives out what is held, which may be nothing, as the pieces of the final segment. They are valid until the next push. */
  take(): readonly Uint8Array[] {
    const pieces = this.inScratch && this.scratch !== undefined ? [this.scratch.subarray(0, this.held)] : this.pieces;
    this.pieces = [];
    this.held = 0;
    this.inScratch = false;
    return pieces;
  }

  private hold(piece: Uint8Array): void {
    if (this.inScratch || this.pieces.length === PIECES_MAX) this.copyToScratch(piece);
    else this.pieces.push(piece);
    this.held += piece.length;
  }

  private copyToScratch(piece: Uint8Array): void {
    this.scratch ??= new Uint8Array(this.plainBytesMax);
    if (!this.inScratch) {
      joinInto(this.scratch, this.pieces);
      this.pieces = [];
      this.inScratch = true;
    }
    this.scratch.set(piece, this.held);
  }
}

/** Copies the pieces one after the other to the beginning of `target` and returns it. */
export function joinInto<Target extends Uint8Array>(target: Target, pieces: readonly Uint8Array[]): Target {
  let end = 0;
  for (const piece of pieces) {
    target.set(piece, end);
    end += piece.length;
  }
  return target;
}
