import {
  FLOE,
  SEGMENT_TAG_BYTES,
  isPosition,
  parseHeader,
  parseSegment,
  segmentAad,
  type FloeParameters,
} from './floe-format.js';
import { joinInto } from './segment-gatherer.js';
import { SealError } from './seal-error.js';
import { WebFloeKeys } from './web-floe-keys.js';

/** Opens the segments of one FLOE message in any order where there is only WebCrypto: browsers. */
export class WebFloeOpener {
  private constructor(
    private readonly keys: WebFloeKeys,
    readonly parameters: FloeParameters,
  ) {}

  /** @throws SealError if the header was not made with this key, this associated data and these parameters. */
  static async create(
    key: CryptoKey,
    header: Uint8Array,
    aad: Uint8Array,
    parameters: FloeParameters = FLOE,
  ): Promise<WebFloeOpener> {
    const { message, tag } = parseHeader(header, aad, parameters);
    const keys = await WebFloeKeys.derive(key, message);
    if (!isEqual(tag, keys.headerTag)) throw new SealError();
    return new WebFloeOpener(keys, parameters);
  }

  /** The plaintext of one whole segment; see NodeFloeOpener.openSegment. @throws SealError */
  async openSegment(sealed: Uint8Array, position: number, final: boolean): Promise<Uint8Array> {
    if (!isPosition(position, this.parameters)) throw new SealError();
    const { iv, ciphertext, tag } = parseSegment(sealed, final, this.parameters);
    const algorithm = {
      name: 'AES-GCM',
      iv: Uint8Array.from(iv),
      additionalData: Uint8Array.from(segmentAad(position, final)),
      tagLength: SEGMENT_TAG_BYTES * 8,
    };
    const authenticated = joinInto(new Uint8Array(ciphertext.length + tag.length), [ciphertext, tag]);
    const key = await this.keys.segmentKey(position);
    try {
      return new Uint8Array(await globalThis.crypto.subtle.decrypt(algorithm, key, authenticated));
    } catch {
      // Its message would be another one than for a wrong length, and tell the two apart.
      throw new SealError();
    }
  }
}

/** Compares two tags of one length in a time that does not depend on where they differ. */
function isEqual(left: Uint8Array, right: Uint8Array): boolean {
  let difference = left.length ^ right.length;
  for (const [index, byte] of left.entries()) difference |= byte ^ (right[index] ?? 0);
  return difference === 0;
}
