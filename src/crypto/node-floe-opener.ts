import { createDecipheriv, timingSafeEqual, type KeyObject } from 'node:crypto';
import {
  FLOE,
  SEGMENT_TAG_BYTES,
  isPosition,
  parseHeader,
  parseSegment,
  segmentAad,
  type FloeParameters,
} from './floe-format.js';
import { NodeFloeKeys } from './node-floe-keys.js';
import { SealError } from './seal-error.js';

/** Opens the segments of one FLOE message in any order, synchronously, with node:crypto. */
export class NodeFloeOpener {
  private readonly keys: NodeFloeKeys;

  /** @throws SealError if the header was not made with this key, this associated data and these parameters. */
  constructor(
    key: KeyObject,
    header: Uint8Array,
    aad: Uint8Array,
    readonly parameters: FloeParameters = FLOE,
  ) {
    const { message, tag } = parseHeader(header, aad, parameters);
    this.keys = new NodeFloeKeys(key, message);
    if (!timingSafeEqual(tag, this.keys.headerTag)) throw new SealError();
  }

  /**
   * The plaintext of one whole segment, as new bytes that belong to the caller; none of it leaves before the tag was checked.
   * @param final whether it is the last one, which follows from the size that the authenticated record tells and from nothing else
   * @throws SealError if it is not the segment that was sealed at this position.
   */
  openSegment(sealed: Uint8Array, position: number, final: boolean): Uint8Array {
    if (!isPosition(position, this.parameters)) throw new SealError();
    const { iv, ciphertext, tag } = parseSegment(sealed, final, this.parameters);
    const decipher = createDecipheriv('aes-256-gcm', this.keys.segmentKey(position), iv, { authTagLength: SEGMENT_TAG_BYTES });
    decipher.setAAD(segmentAad(position, final));
    decipher.setAuthTag(tag);
    const plain = decipher.update(ciphertext);
    try {
      decipher.final();
    } catch {
      // Its message would be another one than for a wrong length, and tell the two apart.
      throw new SealError();
    }
    return plain;
  }
}
