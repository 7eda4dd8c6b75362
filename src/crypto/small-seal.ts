import { createCipheriv, createDecipheriv, hkdfSync, createSecretKey, type KeyObject } from 'node:crypto';
import { sharedRandomPool } from './random-pool.js';
import { SealError } from './seal-error.js';
import { tuple } from './tuple.js';

const FORMAT = 0x01;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const BODY_START = 1 + NONCE_BYTES;

/** Bytes by which a small seal is longer than what it seals. */
export const SMALL_SEAL_OVERHEAD_BYTES = BODY_START + TAG_BYTES;

/**
 * Seals a few bytes, such as a key: `0x01 | nonce | AES-256-GCM | tag`, with a random nonce. One key may so seal 2^32 times (NIST SP
 * 800-38D, section 8.3); a key ring that wraps a thousand versions a second is to be rotated within fifty days.
 */
export function smallSeal(key: KeyObject, plain: Uint8Array, aad: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(SMALL_SEAL_OVERHEAD_BYTES + plain.length);
  sealed[0] = FORMAT;
  sharedRandomPool.fill(sealed, 1, NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, sealed.subarray(1, BODY_START), { authTagLength: TAG_BYTES });
  cipher.setAAD(aad);
  sealed.set(cipher.update(plain), BODY_START);
  cipher.final(); // empty: GCM pads nothing
  sealed.set(cipher.getAuthTag(), BODY_START + plain.length);
  return sealed;
}

/** Opens a small seal of exactly `plainBytes` bytes. @throws SealError */
export function smallOpen(key: KeyObject, sealed: Uint8Array, aad: Uint8Array, plainBytes: number): Uint8Array {
  if (sealed.length !== SMALL_SEAL_OVERHEAD_BYTES + plainBytes || sealed[0] !== FORMAT) throw new SealError();
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, BODY_START), { authTagLength: TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(BODY_START + plainBytes));
  const plain = decipher.update(sealed.subarray(BODY_START, BODY_START + plainBytes));
  try {
    decipher.final();
  } catch {
    throw new SealError();
  }
  return plain;
}

/** A key for one purpose, derived of another one (HKDF-SHA-256, RFC 5869), so that no key is ever used for two. */
export function subkey(key: KeyObject, purpose: string): KeyObject {
  return createSecretKey(new Uint8Array(hkdfSync('sha256', key, new Uint8Array(0), tuple('sse/v1/subkey', purpose), 32)));
}
