import { totalBytes } from '../common/total-bytes.js';
import {
  FLOE,
  MESSAGE_IV_BYTES,
  SEGMENT_LENGTH_BYTES,
  SEGMENT_TAG_BYTES,
  buildHeader,
  isPosition,
  newMessage,
  segmentAad,
  segmentHead,
  type FloeParameters,
} from './floe-format.js';
import { plainSegmentBytes } from './floe-sizes.js';
import { SegmentGatherer, joinInto } from './segment-gatherer.js';
import { WebFloeKeys } from './web-floe-keys.js';

/**
 * Seals one message with FLOE where there is only WebCrypto: browsers. The same bytes as NodeFloeSealer, the same ownership: what is
 * pushed must not be changed until `finish` has resolved. One call at a time.
 */
export class WebFloeSealer {
  private readonly gatherer: SegmentGatherer;
  private position = 0;
  private isFinished = false;
  private isBusy = false;

  private constructor(
    /** The 74 bytes without which the body cannot be opened; they are no secret. */
    readonly header: Uint8Array,
    private readonly keys: WebFloeKeys,
    private readonly parameters: FloeParameters,
  ) {
    this.gatherer = new SegmentGatherer(plainSegmentBytes(parameters));
  }

  /** @param key of `importWebFloeKey`, for this message only */
  static async create(key: CryptoKey, aad: Uint8Array, parameters: FloeParameters = FLOE): Promise<WebFloeSealer> {
    const iv = globalThis.crypto.getRandomValues(new Uint8Array(MESSAGE_IV_BYTES));
    const message = newMessage(parameters, iv, aad);
    const keys = await WebFloeKeys.derive(key, message);
    return new WebFloeSealer(buildHeader(message, keys.headerTag), keys, parameters);
  }

  /** True as soon as `finish` was called. */
  get finished(): boolean {
    return this.isFinished;
  }

  /** See `NodeFloeSealer`; not while a call is under way. */
  get heldBytes(): number {
    return this.gatherer.heldBytes;
  }

  /** Takes plaintext of any size; resolves to the segments that are complete and known not to be the final one, in pieces. */
  async push(plain: Uint8Array): Promise<Uint8Array[]> {
    return this.exclusively(async () => {
      await this.keys.segmentKey(this.position); // at hand for the segments below, which then need not keep copies until it is
      // All at once: Web Crypto seals on threads of its own, and waiting for each segment leaves them idle in between.
      const sealed: Promise<Uint8Array[]>[] = [];
      for (const pieces of this.gatherer.push(plain)) sealed.push(this.seal(pieces, false));
      return (await Promise.all(sealed)).flat();
    });
  }

  /** Seals what is left, which may be nothing, as the final segment. */
  async finish(): Promise<Uint8Array[]> {
    return this.exclusively(async () => {
      this.isFinished = true;
      return this.seal(this.gatherer.take(), true);
    });
  }

  /** Takes its position, and a copy of the pieces, before it first waits: the next segment may be begun at once. */
  private async seal(pieces: readonly Uint8Array[], final: boolean): Promise<Uint8Array[]> {
    const position = this.position;
    if (!isPosition(position, this.parameters)) throw new RangeError(`a message may not have more than ${position} segments`);
    this.position = position + 1;
    const key = this.keys.segmentKeyAtHand(position);
    // WebCrypto copies what it is called with, so one piece needs no copy of ours if it can be called now.
    const [only] = pieces;
    const isTaken = key !== undefined && pieces.length === 1 && only?.buffer instanceof ArrayBuffer;
    const plain = isTaken ? (only as Uint8Array<ArrayBuffer>) : joinInto(new Uint8Array(totalBytes(pieces)), pieces);
    const head = segmentHead(plain.length, final);
    const iv = globalThis.crypto.getRandomValues(new Uint8Array(head.length - SEGMENT_LENGTH_BYTES));
    head.set(iv, SEGMENT_LENGTH_BYTES);
    const additionalData = Uint8Array.from(segmentAad(position, final));
    const algorithm = { name: 'AES-GCM', iv, additionalData, tagLength: SEGMENT_TAG_BYTES * 8 };
    const sealed = await globalThis.crypto.subtle.encrypt(algorithm, key ?? (await this.keys.segmentKey(position)), plain);
    return [head, new Uint8Array(sealed)];
  }

  /** Two calls at once would mix up the order of their segments without anybody noticing before the file is opened again. */
  private async exclusively<Result>(call: () => Promise<Result>): Promise<Result> {
    if (this.isFinished) throw new Error('this message is finished: nothing can be sealed after its final segment');
    if (this.isBusy) throw new Error('the call before has not resolved yet: await each push');
    this.isBusy = true;
    try {
      return await call();
    } finally {
      this.isBusy = false;
    }
  }
}
