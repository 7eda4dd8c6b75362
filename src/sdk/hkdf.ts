import { tuple, type TupleField } from '../crypto/tuple.js';
import { asOwned, type Bytes } from './bytes.js';

/** Bytes of every symmetric key of the client. */
export const KEY_BYTES = 32;

/** Keys as Web Crypto holds them, by the bytes that they were made of: importing one takes longer than using it. */
const imported = new WeakMap<Uint8Array, Promise<CryptoKey>>();

/** HKDF-SHA-256 (RFC 5869). `info` is encoded so that no two different ones are alike. The secret must not be changed afterwards. */
export async function hkdf(
  secret: Uint8Array,
  salt: Uint8Array,
  info: readonly TupleField[],
  length: number = KEY_BYTES,
): Promise<Bytes> {
  const algorithm = { name: 'HKDF', hash: 'SHA-256', salt: asOwned(salt), info: asOwned(tuple(...info)) };
  return new Uint8Array(await globalThis.crypto.subtle.deriveBits(algorithm, await importSecret(secret), 8 * length));
}

/** A key for one purpose, derived of another one, so that no key is ever used for two. */
export async function purposeKey(key: Uint8Array, purpose: string, ...context: readonly TupleField[]): Promise<Bytes> {
  return hkdf(key, new Uint8Array(0), ['dcloud/e2ee/v1/key', purpose, ...context]);
}

function importSecret(secret: Uint8Array): Promise<CryptoKey> {
  const known = imported.get(secret);
  if (known !== undefined) return known;
  const key = globalThis.crypto.subtle.importKey('raw', asOwned(secret), 'HKDF', false, ['deriveBits']);
  imported.set(secret, key);
  return key;
}
