import { totalBytes } from '../common/total-bytes.js';
import { sharedRandomPool } from '../crypto/random-pool.js';
import { joinInto } from '../crypto/segment-gatherer.js';
import { symmetric } from './symmetric.js';

/** Bytes that Web Crypto takes without a copy: never shared with another thread. */
export type Bytes = Uint8Array<ArrayBuffer>;

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The UTF-8 of a text. @throws RangeError for half a surrogate pair, which would be replaced by a sign that others share. */
export function utf8(text: string): Bytes {
  if (!text.isWellFormed()) throw new RangeError('a string with half a surrogate pair has no encoding of its own');
  return utf8Encoder.encode(text);
}

/** @throws TypeError if the bytes are no UTF-8 */
export function fromUtf8(bytes: Uint8Array): string {
  return utf8Decoder.decode(bytes);
}

export function concat(...parts: readonly Uint8Array[]): Bytes {
  return concatAll(parts);
}

/** However many they are: arguments end at some thousands. */
export function concatAll(parts: readonly Uint8Array[]): Bytes {
  return joinInto(new Uint8Array(totalBytes(parts)), parts);
}

export function randomBytes(count: number): Bytes {
  const bytes = new Uint8Array(count);
  sharedRandomPool.fill(bytes, 0, count);
  return bytes;
}

export async function sha256(bytes: Uint8Array): Promise<Bytes> {
  return symmetric().sha256(asOwned(bytes));
}

/** In a time that does not depend on where they differ. */
export function isEqual(left: Uint8Array, right: Uint8Array): boolean {
  let difference = left.length ^ right.length;
  for (let at = 0; at < left.length; at += 1) difference |= (left[at] as number) ^ (right[at] ?? 0);
  return difference === 0;
}

/** The same bytes for Web Crypto, which refuses views of shared memory; a copy only of those. */
export function asOwned(bytes: Uint8Array): Bytes {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Bytes) : Uint8Array.from(bytes);
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const symbolOf = Uint8Array.from(BASE64URL, (symbol) => symbol.charCodeAt(0));
const NO_SYMBOL = 64;
const valueOf = Uint8Array.from({ length: 128 }, (_, code) => {
  const value = BASE64URL.indexOf(String.fromCharCode(code));
  return value < 0 ? NO_SYMBOL : value;
});

/** Newer engines do it by themselves (ECMAScript 2026), in a hundredth of the time. */
const isEncoding = 'toBase64' in Uint8Array.prototype;

/** Base64url without padding (RFC 4648, section 5). */
export function toBase64Url(bytes: Uint8Array): string {
  return isEncoding ? bytes.toBase64({ alphabet: 'base64url', omitPadding: true }) : encodeBase64Url(bytes);
}

/** The same, wherever. */
export function encodeBase64Url(bytes: Uint8Array): string {
  const symbols = new Uint8Array(Math.ceil((bytes.length * 4) / 3));
  let end = 0;
  for (let at = 0; at < bytes.length; at += 3) {
    const three = ((bytes[at] as number) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    // What lies behind the end of `symbols` is not written.
    for (let shift = 18; shift >= 0; shift -= 6) symbols[end++] = symbolOf[(three >>> shift) & 63] as number;
  }
  return utf8Decoder.decode(symbols);
}

/** Undefined if the text is not exactly what `toBase64Url` makes: two texts for the same bytes would be two links for one. */
export function fromBase64Url(text: string): Bytes | undefined {
  if (text.length % 4 === 1) return undefined;
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let [held, bits, end] = [0, 0, 0];
  for (let at = 0; at < text.length; at += 1) {
    const value = valueOf[text.charCodeAt(at)] ?? NO_SYMBOL;
    if (value === NO_SYMBOL) return undefined;
    held = ((held << 6) | value) & 0xfff;
    bits += 6;
    if (bits >= 8) bytes[end++] = held >>> (bits -= 8);
  }
  return (held & ((1 << bits) - 1)) === 0 ? bytes : undefined;
}
