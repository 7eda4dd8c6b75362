import type { TupleField } from '../crypto/tuple.js';
import { asOwned, concat, isEqual, randomBytes, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';
import { KEY_BYTES, hkdf } from './hkdf.js';
import { symmetric } from './symmetric.js';

const FORMAT = 0x01;
const SALT_BYTES = 24;
const IV_BYTES = 12;
const COMMITMENT_BYTES = 32;
const TAG_BYTES = 16;
const COMMITMENT_AT = 1 + SALT_BYTES;
const BODY_AT = COMMITMENT_AT + COMMITMENT_BYTES;

/** Bytes by which a seal is longer than what it seals. */
export const SEAL_OVERHEAD_BYTES = BODY_AT + TAG_BYTES;

/** What sealed bytes are, and where they belong: they open nowhere else. */
export interface SealContext {
  readonly purpose: string;
  readonly fields: readonly TupleField[];
}

/**
 * Seals a few bytes: `0x01 | salt | commitment | AES-256-GCM`. Key, IV and commitment are derived of the key, a random salt and the
 * context, so that no key seals twice, and what opens with one key and one context opens with no other: AES-GCM alone does not promise
 * that (Albertini et al., "How to Abuse and Fix Authenticated Encryption Without Key Commitment", USENIX Security 2022).
 */
export async function seal(key: Uint8Array, plain: Uint8Array, context: SealContext): Promise<Bytes> {
  const salt = randomBytes(SALT_BYTES);
  const { cipherKey, iv, commitment } = await derive(key, salt, context);
  const sealed = await symmetric().encrypt(cipherKey, iv, asOwned(plain));
  return concat(Uint8Array.of(FORMAT), salt, commitment, sealed);
}

/** @throws SdkError `damaged`, whatever was wrong: a key of the hierarchy is never one that a person mistyped */
export async function openSeal(key: Uint8Array, sealed: Uint8Array, context: SealContext): Promise<Bytes> {
  const { plain } = await tryOpen(key, sealed, context);
  if (plain === undefined) throw new SdkError('damaged');
  return plain;
}

/**
 * Opens with a key that a person typed, be it as password, code or link.
 * @throws SdkError `wrong-key` if it was made with another one, `damaged` if with this one and changed afterwards
 */
export async function openTyped(key: Uint8Array, sealed: Uint8Array, context: SealContext): Promise<Bytes> {
  const { plain, isOtherKey } = await tryOpen(key, sealed, context);
  if (plain === undefined) throw new SdkError(isOtherKey ? 'wrong-key' : 'damaged');
  return plain;
}

interface Attempt {
  readonly plain?: Bytes;
  readonly isOtherKey: boolean;
}

async function tryOpen(key: Uint8Array, sealed: Uint8Array, context: SealContext): Promise<Attempt> {
  if (sealed[0] !== FORMAT) throw new SdkError('unsupported-format');
  if (sealed.length < SEAL_OVERHEAD_BYTES) return { isOtherKey: false };
  const { cipherKey, iv, commitment } = await derive(key, sealed.subarray(1, COMMITMENT_AT), context);
  if (!isEqual(commitment, sealed.subarray(COMMITMENT_AT, BODY_AT))) return { isOtherKey: true };
  const plain = await symmetric().decrypt(cipherKey, iv, asOwned(sealed.subarray(BODY_AT)));
  return { ...(plain !== undefined && { plain }), isOtherKey: false };
}

async function derive(
  key: Uint8Array,
  salt: Uint8Array,
  { purpose, fields }: SealContext,
): Promise<{ cipherKey: Bytes; iv: Bytes; commitment: Bytes }> {
  if (key.length !== KEY_BYTES) throw new TypeError(`a key to seal with has ${KEY_BYTES} bytes`);
  const info = ['dcloud/e2ee/v1/seal', purpose, ...fields];
  const derived = await hkdf(key, salt, info, KEY_BYTES + IV_BYTES + COMMITMENT_BYTES);
  const cipherKey = derived.subarray(0, KEY_BYTES);
  return { cipherKey, iv: derived.subarray(KEY_BYTES, KEY_BYTES + IV_BYTES), commitment: derived.subarray(KEY_BYTES + IV_BYTES) };
}
