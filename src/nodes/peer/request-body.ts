import { SENT_BYTES_LEAST } from '../../common/release.js';
import { totalBytes } from '../../common/total-bytes.js';

/** Up to this size a body goes out in one piece: that takes one write and one packet where parts take several. */
const JOINED_BYTES_MAX = SENT_BYTES_LEAST;

/** The body of one request, and when its parts are not needed any more. */
export class RequestBody {
  /** Bytes of all parts together. */
  readonly length: number;
  private readonly ended = Promise.withResolvers<boolean>();

  constructor(readonly parts: readonly Uint8Array[] = []) {
    this.length = totalBytes(parts);
  }

  /**
   * Resolves when the system has all of it but for what is shorter than {@link SENT_BYTES_LEAST}: true, or false if it was not sent to its end. Who answers may do so before that, and
   * whoever then gave the memory of the parts to others, would send theirs.
   */
  get isSent(): Promise<boolean> {
    return this.ended.promise;
  }

  /** For the one request that it is the body of. */
  content(): Uint8Array | AsyncIterable<Uint8Array> {
    if (this.length > JOINED_BYTES_MAX) return this.stream();
    this.ended.resolve(true);
    return Buffer.concat(this.parts);
  }

  /**
   * Asked for the next piece when the one before has left, as far as it is larger than what a socket takes in advance; or when the connection has
   * ended, and then the piece is not taken any more. So all but a last byte has left when that was taken.
   */
  private async *stream(): AsyncGenerator<Uint8Array, void, undefined> {
    let isAll = false;
    try {
      for (const part of this.parts.slice(0, -1)) yield await Promise.resolve(part);
      const last = this.parts.at(-1) as Uint8Array;
      yield last.subarray(0, -1);
      yield last.subarray(-1);
      isAll = true;
    } finally {
      this.ended.resolve(isAll);
    }
  }
}
