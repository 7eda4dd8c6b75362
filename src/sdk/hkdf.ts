import { tuple, type TupleField } from '../crypto/tuple.js';
import { asOwned, type Bytes } from './bytes.js';
import { symmetric } from './symmetric.js';

/** Bytes of every symmetric key of the client. */
export const KEY_BYTES = 32;

/** HKDF-SHA-256 (RFC 5869). `info` is encoded so that no two different ones are alike. The secret must not be changed afterwards. */
export async function hkdf(
  secret: Uint8Array,
  salt: Uint8Array,
  info: readonly TupleField[],
  length: number = KEY_BYTES,
): Promise<Bytes> {
  return symmetric().hkdf(asOwned(secret), asOwned(salt), asOwned(tuple(...info)), length);
}

/** A key for one purpose, derived of another one, so that no key is ever used for two. */
export async function purposeKey(key: Uint8Array, purpose: string, ...context: readonly TupleField[]): Promise<Bytes> {
  return hkdf(key, new Uint8Array(0), ['dcloud/e2ee/v1/key', purpose, ...context]);
}
