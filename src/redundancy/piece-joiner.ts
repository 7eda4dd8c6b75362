import { letGo } from '../nodes/read-bytes.js';

/** Slices below this size are joined: each step of a stream costs more than to copy so many bytes. */
const JOINED_BELOW_BYTES = 32 * 1024;
const PIECE_BYTES_MAX = 256 * 1024;

/** Puts small slices of one stream together, all in the same buffer, one piece after the other. Large ones stay as they are. */
export class PieceJoiner {
  private buffer: Uint8Array = new Uint8Array(0);
  private filled = 0;

  /** Each piece is valid until the next one is asked for. Slices that are no pieces themselves are let go of. */
  *join(slices: readonly Uint8Array[]): Generator<Uint8Array, void, undefined> {
    this.reserve(slices.reduce((sum, slice) => sum + (isSmall(slice) ? slice.length : 0), 0));
    for (const slice of slices) {
      if (!isSmall(slice) || this.filled + slice.length > this.buffer.length) yield* this.take();
      if (isSmall(slice)) this.add(slice);
      else yield slice;
    }
    yield* this.take();
  }

  private reserve(bytes: number): void {
    const size = Math.min(PIECE_BYTES_MAX, bytes);
    if (this.buffer.length < size) this.buffer = Buffer.allocUnsafe(size);
  }

  private add(slice: Uint8Array): void {
    this.buffer.set(slice, this.filled);
    this.filled += slice.length;
    letGo(slice);
  }

  private *take(): Generator<Uint8Array, void, undefined> {
    if (this.filled === 0) return;
    yield this.buffer.subarray(0, this.filled);
    this.filled = 0;
  }
}

function isSmall({ length }: Uint8Array): boolean {
  return length < JOINED_BELOW_BYTES;
}
