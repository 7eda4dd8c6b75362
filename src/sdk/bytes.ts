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
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  for (const part of parts) {
    whole.set(part, end);
    end += part.length;
  }
  return whole;
}

export function randomBytes(count: number): Bytes {
  return globalThis.crypto.getRandomValues(new Uint8Array(count));
}

export async function sha256(bytes: Uint8Array): Promise<Bytes> {
  return new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', asOwned(bytes)));
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

/** Base64url without padding (RFC 4648, section 5); for short texts. */
export function toBase64Url(bytes: Uint8Array): string {
  // Not all of them as arguments of one call: those of a long text, which may be anybody's, do not fit on the stack.
  const text = globalThis.btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** Undefined if the text is not exactly what `toBase64Url` makes: two texts for the same bytes would be two links for one. */
export function fromBase64Url(text: string): Bytes | undefined {
  if (!/^[\w-]*$/u.test(text) || text.length % 4 === 1) return undefined;
  const binary = globalThis.atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  return toBase64Url(bytes) === text ? bytes : undefined;
}
