/**
 * The FLOE format: every byte of it that is neither key nor cipher. Pure, and free of Node.js, so that the server and browsers share it.
 * FLOE is the random-access authenticated encryption of c2sp.org/FLOE (IACR ePrint 2025/2275): a header that commits to the key, and
 * segments of one length, each under a fresh IV and bound to its position and to being the last one or not.
 */
import { SealError } from './seal-error.js';

export interface FloeParameters {
  /** Bytes of a sealed inner segment; the final one is at most as long. */
  readonly segmentBytes: number;
  /** Segments that share a key: a power of two. */
  readonly rotationSegments: number;
  /** Segments that one message may have. */
  readonly segmentsMax: number;
}

/** What everything that we store is sealed with. */
export const FLOE: FloeParameters = Object.freeze({ segmentBytes: 65_536, rotationSegments: 2 ** 20, segmentsMax: 2 ** 40 });

export const FLOE_KEY_BYTES = 32;
export const HEADER_TAG_BYTES = 32;
export const MESSAGE_KEY_BYTES = 48;
export const MESSAGE_IV_BYTES = 32;
export const SEGMENT_LENGTH_BYTES = 4;
export const SEGMENT_IV_BYTES = 12;
export const SEGMENT_TAG_BYTES = 16;
/** Bytes in front of a segment's ciphertext: length and IV. */
export const SEGMENT_HEAD_BYTES = SEGMENT_LENGTH_BYTES + SEGMENT_IV_BYTES;
/** Bytes by which a sealed segment is longer than its plaintext. */
export const SEGMENT_OVERHEAD_BYTES = SEGMENT_HEAD_BYTES + SEGMENT_TAG_BYTES;

const PARAMETER_BYTES = 10;
export const HEADER_BYTES = PARAMETER_BYTES + MESSAGE_IV_BYTES + HEADER_TAG_BYTES;

/** The length field of inner segments, which no final segment can have. */
const INNER_SEGMENT = 0xffffffff;
const AES_256_GCM = 0;
const HKDF_EXPAND_SHA_384 = 0;

/** What all keys of one message are bound to. */
export interface FloeMessage {
  readonly parameters: FloeParameters;
  readonly iv: Uint8Array;
  readonly aad: Uint8Array;
}

/** Why a key is derived; no two purposes encode alike. */
export type FloePurpose = 'HEADER_TAG:' | 'MESSAGE_KEY:' | { readonly segmentKeyOf: number };

/** The parts of a sealed segment, as views of its bytes. */
export interface SegmentParts {
  readonly iv: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly tag: Uint8Array;
}

/** Refuses parameters that the format cannot carry. They are constants of the program, hence no coded error. */
export function assertParameters({ segmentBytes, rotationSegments, segmentsMax }: FloeParameters): void {
  if (!Number.isInteger(segmentBytes) || segmentBytes <= SEGMENT_OVERHEAD_BYTES || segmentBytes >= INNER_SEGMENT) {
    throw new RangeError(`a FLOE segment cannot be ${segmentBytes} bytes long`);
  }
  if (!Number.isSafeInteger(rotationSegments) || !Number.isInteger(Math.log2(rotationSegments))) {
    throw new RangeError(`a FLOE key cannot serve ${rotationSegments} segments: that is no power of two`);
  }
  if (!Number.isInteger(segmentsMax) || segmentsMax < 1 || segmentsMax > FLOE.segmentsMax) {
    throw new RangeError(`a FLOE message cannot have ${segmentsMax} segments`);
  }
}

/** Makes the message that is about to be sealed. Copies the associated data: it must not change under us. */
export function newMessage(parameters: FloeParameters, iv: Uint8Array, aad: Uint8Array): FloeMessage {
  assertParameters(parameters);
  return { parameters, iv, aad: Uint8Array.from(aad) };
}

/** The 74 bytes that stand apart from the segments: parameters, message IV and the tag that commits to key and associated data. */
export function buildHeader({ parameters, iv }: FloeMessage, tag: Uint8Array): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  header.set(encodeParameters(parameters));
  header.set(iv, PARAMETER_BYTES);
  header.set(tag, PARAMETER_BYTES + MESSAGE_IV_BYTES);
  return header;
}

/**
 * Takes a header apart. Its tag is *not* checked here: whoever calls this compares it, in constant time.
 * @throws SealError if it is a header of other parameters, or none.
 */
export function parseHeader(
  header: Uint8Array,
  aad: Uint8Array,
  parameters: FloeParameters,
): { message: FloeMessage; tag: Uint8Array } {
  const expected = encodeParameters(parameters);
  if (header.length !== HEADER_BYTES || expected.some((byte, index) => byte !== header[index])) throw new SealError();
  const iv = header.slice(PARAMETER_BYTES, PARAMETER_BYTES + MESSAGE_IV_BYTES);
  return { message: newMessage(parameters, iv, aad), tag: header.slice(PARAMETER_BYTES + MESSAGE_IV_BYTES) };
}

/**
 * The one HMAC-SHA-384 input of HKDF-Expand (RFC 5869, section 2.3): PARAM ‖ iv ‖ purpose ‖ aad ‖ 0x01. One block is enough because
 * nothing that FLOE derives is longer than the 48 bytes of a SHA-384 output; the caller cuts it to length.
 */
export function kdfInput({ parameters, iv, aad }: FloeMessage, purpose: FloePurpose): Uint8Array {
  const encoded = encodePurpose(purpose, parameters);
  const input = new Uint8Array(PARAMETER_BYTES + iv.length + encoded.length + aad.length + 1);
  let end = 0;
  for (const part of [encodeParameters(parameters), iv, encoded, aad]) {
    input.set(part, end);
    end += part.length;
  }
  input[end] = 0x01;
  return input;
}

/** The first of the segments that share a key with the one at `position`. */
export function rotationStart(position: number, { rotationSegments }: FloeParameters): number {
  return position - (position % rotationSegments);
}

/** The associated data of a segment: this is what a segment that was moved, repeated or made the last one fails on. */
export function segmentAad(position: number, final: boolean): Uint8Array {
  const aad = new Uint8Array(9);
  new DataView(aad.buffer).setBigUint64(0, BigInt(position));
  aad[8] = final ? 1 : 0;
  return aad;
}

/** The first 16 bytes of a segment with room for the IV after the length field. */
export function segmentHead(plainBytes: number, final: boolean): Uint8Array {
  const head = new Uint8Array(SEGMENT_HEAD_BYTES);
  new DataView(head.buffer).setUint32(0, final ? plainBytes + SEGMENT_OVERHEAD_BYTES : INNER_SEGMENT);
  return head;
}

/** Takes a sealed segment apart. @throws SealError if its length is impossible or is not what its length field says. */
export function parseSegment(sealed: Uint8Array, final: boolean, { segmentBytes }: FloeParameters): SegmentParts {
  const bytes = sealed.length;
  const isPossible = final ? bytes >= SEGMENT_OVERHEAD_BYTES && bytes <= segmentBytes : bytes === segmentBytes;
  if (!isPossible) throw new SealError();
  const length = new DataView(sealed.buffer, sealed.byteOffset, SEGMENT_LENGTH_BYTES).getUint32(0);
  if (length !== (final ? bytes : INNER_SEGMENT)) throw new SealError();
  return {
    iv: sealed.subarray(SEGMENT_LENGTH_BYTES, SEGMENT_HEAD_BYTES),
    ciphertext: sealed.subarray(SEGMENT_HEAD_BYTES, bytes - SEGMENT_TAG_BYTES),
    tag: sealed.subarray(bytes - SEGMENT_TAG_BYTES),
  };
}

/** True if a message may have a segment at this position: the bounds of AES-GCM hold only for so many of them. */
export function isPosition(position: number, { segmentsMax }: FloeParameters): boolean {
  return Number.isInteger(position) && position >= 0 && position < segmentsMax;
}

function encodeParameters({ segmentBytes }: FloeParameters): Uint8Array {
  const encoded = new Uint8Array(PARAMETER_BYTES);
  const view = new DataView(encoded.buffer);
  view.setUint8(0, AES_256_GCM);
  view.setUint8(1, HKDF_EXPAND_SHA_384);
  view.setUint32(2, segmentBytes);
  view.setUint32(6, MESSAGE_IV_BYTES);
  return encoded;
}

const PURPOSE_BYTES = {
  'HEADER_TAG:': new TextEncoder().encode('HEADER_TAG:'),
  'MESSAGE_KEY:': new TextEncoder().encode('MESSAGE_KEY:'),
  'DEK:': new TextEncoder().encode('DEK:'),
};

function encodePurpose(purpose: FloePurpose, parameters: FloeParameters): Uint8Array {
  if (typeof purpose === 'string') return PURPOSE_BYTES[purpose];
  const encoded = new Uint8Array(12);
  encoded.set(PURPOSE_BYTES['DEK:']);
  new DataView(encoded.buffer).setBigUint64(4, BigInt(rotationStart(purpose.segmentKeyOf, parameters)));
  return encoded;
}
