import { createHash } from 'node:crypto';
import { type SegmentSealer, sealStream } from '../crypto/open-stream.js';

/** A body that is measured, digested and sealed on its way through. */
export class SealedBody {
  private plainBytes = 0;
  private sealedBytes = 0;
  private readonly digest = createHash('sha256');

  /** @param onSealed is given each piece of the source as soon as all of it is sealed */
  constructor(
    private readonly source: AsyncIterable<Uint8Array>,
    private readonly sealer: SegmentSealer,
    private readonly onSealed?: (piece: Uint8Array) => void,
  ) {}

  /** The sealed body, once. */
  async *stream(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of sealStream(this.plain(), this.sealer, this.onSealed)) {
      this.sealedBytes += piece.length;
      yield piece;
    }
  }

  /** Bytes of the body so far, as it came and sealed. */
  get sizes(): { readonly size: number; readonly sealedSize: number } {
    return { size: this.plainBytes, sealedSize: this.sealedBytes };
  }

  /** SHA-256 of the plaintext; after its end, and once. */
  sum(): Buffer {
    return this.digest.digest();
  }

  private async *plain(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of this.source) {
      this.plainBytes += piece.length;
      this.digest.update(piece);
      yield piece;
    }
  }
}
