import { sealedSizeOf } from '../crypto/floe-sizes.js';
import { concat, type Bytes } from './bytes.js';
import { PartSealer, type ContentCipher, type SealedPart } from './content.js';
import { STREAM_PART_BYTES, partAt, partsOf, planStream, type PartPlan } from './part-plan.js';

/** A stream from which so many bytes at a time are taken. */
export class StreamReader {
  private readonly pieces: AsyncIterator<Uint8Array>;
  private held: Uint8Array = new Uint8Array(0);

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.pieces = stream[Symbol.asyncIterator]();
  }

  /** The next bytes, fewer than asked for only at the end. */
  async *take(bytes: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let left = bytes; left > 0 && !(await this.isAtEnd());) {
      const piece = this.held.subarray(0, left);
      this.held = this.held.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  async isAtEnd(): Promise<boolean> {
    while (this.held.length === 0) {
      const next = await this.pieces.next();
      if (next.done === true) return true;
      this.held = next.value;
    }
    return false;
  }

  /** Puts bytes back in front. */
  putBack(bytes: Bytes): void {
    this.held = concat(bytes, this.held);
  }

  /** Tells where the stream comes from that no more of it is wanted. */
  async close(): Promise<void> {
    await this.pieces.return?.();
  }
}

export interface NumberedPart extends SealedPart {
  readonly part: number;
  /** Bytes of the true plaintext in it. */
  readonly trueBytes: number;
}

/** What is known of a stream when it has ended. */
export interface StreamEnd {
  readonly plan: PartPlan;
  readonly trueSize: number;
}

/** Bytes of a sealed part of a stream, at most. */
export const STREAM_SEALED_BYTES = sealedSizeOf(STREAM_PART_BYTES);

/**
 * Seals a stream part for part while it comes; its size, and so the padding, is known only at its end, which `onEnd` is told.
 * @param take gives a buffer of {@link STREAM_SEALED_BYTES} for each part
 */
export async function* sealStreamParts(
  cipher: ContentCipher,
  { reader, take }: { readonly reader: StreamReader; readonly take: () => Bytes },
  onEnd: (end: StreamEnd) => void,
): AsyncGenerator<NumberedPart, void, undefined> {
  let [part, trueSize, isEnded] = [0, 0, false];
  while (!isEnded) {
    const sealer = await PartSealer.create(cipher, part, take());
    const from = trueSize;
    for await (const piece of reader.take(STREAM_PART_BYTES)) {
      trueSize += piece.length;
      await sealer.push(piece);
    }
    isEnded = await reader.isAtEnd();
    const plan = planStream(trueSize);
    if (isEnded) await sealer.push(new Uint8Array(partAt(plan, part).plain.to - trueSize));
    yield { ...(await sealer.finish()), part, trueBytes: trueSize - from };
    part += 1;
  }
  const plan = planStream(trueSize);
  // Padding can go on where the last bytes end a part.
  for (; part < partsOf(plan); part += 1) {
    const { plain } = partAt(plan, part);
    const sealer = await PartSealer.create(cipher, part, take());
    await sealer.push(new Uint8Array(plain.to - plain.from));
    yield { ...(await sealer.finish()), part, trueBytes: 0 };
  }
  onEnd({ plan, trueSize });
}
