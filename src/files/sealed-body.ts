import { BodyDigest } from '../crypto/body-digest.js';
import { type SegmentSealer, sealStream } from '../crypto/open-stream.js';

/** A body that is measured, sealed and digested on its way through. */
export class SealedBody {
  private plainBytes = 0;
  private sealedBytes = 0;
  private summed: Promise<Uint8Array> | undefined;

  /** @param digest is given each piece of the source as soon as all of it is sealed */
  constructor(
    private readonly source: AsyncIterable<Uint8Array>,
    private readonly sealer: SegmentSealer,
    private readonly digest: BodyDigest = new BodyDigest(),
  ) {}

  /** The sealed body, once. */
  async *stream(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const piece of sealStream(this.plain(), this.sealer, (sealed) => this.digest.take(sealed))) {
        this.sealedBytes += piece.length;
        yield piece;
      }
      this.summed = this.digest.sum();
      this.summed.catch(() => undefined); // it is heard by who asks for the sum, if nothing else goes wrong before
    } finally {
      if (this.summed === undefined) this.digest.drop();
    }
  }

  /** Bytes of the body so far, as it came and sealed. */
  get sizes(): { readonly size: number; readonly sealedSize: number } {
    return { size: this.plainBytes, sealedSize: this.sealedBytes };
  }

  /** SHA-256 of the plaintext; after its end. */
  async sum(): Promise<Uint8Array> {
    if (this.summed === undefined) throw new Error('a body has no sum before its end');
    return this.summed;
  }

  private async *plain(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of this.source) {
      this.plainBytes += piece.length;
      if (this.digest.busy !== undefined) await this.digest.busy;
      yield piece;
    }
  }
}
