/** How the key of one version is kept: sealed under a key of the key ring (CRYPTO.md, "At rest"). Pure. */
import { createSecretKey, type KeyObject } from 'node:crypto';
import type { FileId, VersionId } from '../common/ids.js';
import { smallOpen, smallSeal, subkey } from './small-seal.js';
import { tuple } from './tuple.js';

export interface VersionIds {
  readonly fileId: FileId;
  readonly versionId: VersionId;
}

/** A key that wraps keys, with the id by which the wrapped ones name it. */
export interface WrappingKey {
  readonly id: string;
  readonly key: KeyObject;
}

export const VERSION_KEY_BYTES = 32;
export const DIGEST_BYTES = 32;

/** Seals a version's key, bound to the file, to the version and to the id of the wrapping key: 61 bytes. */
export function wrapVersionKey(wrapping: WrappingKey, versionKey: KeyObject, ids: VersionIds): Uint8Array {
  if (versionKey.symmetricKeySize !== VERSION_KEY_BYTES) throw new TypeError(`a version's key has ${VERSION_KEY_BYTES} bytes`);
  const raw = versionKey.export();
  try {
    return smallSeal(wrapping.key, raw, wrapAad(wrapping, ids));
  } finally {
    raw.fill(0);
  }
}

/** @throws SealError if it is not this version's key, wrapped by this key. */
export function unwrapVersionKey(wrapping: WrappingKey, wrapped: Uint8Array, ids: VersionIds): KeyObject {
  const raw = smallOpen(wrapping.key, wrapped, wrapAad(wrapping, ids), VERSION_KEY_BYTES);
  try {
    return createSecretKey(raw);
  } finally {
    raw.fill(0);
  }
}

/** What the body of a version is bound to. */
export function bodyAad(versionId: VersionId, partNumber = 0): Uint8Array {
  return tuple('sse/v1/body', versionId, partNumber);
}

/** Seals the SHA-256 of the plaintext: in clear it would tell everybody who reads the index which files are alike. */
export function sealDigest(versionKey: KeyObject, digest: Uint8Array, versionId: VersionId): Uint8Array {
  if (digest.length !== DIGEST_BYTES) throw new TypeError(`a SHA-256 digest has ${DIGEST_BYTES} bytes`);
  return smallSeal(subkey(versionKey, 'digest'), digest, tuple('sse/v1/digest', versionId));
}

/** @throws SealError if it is not the digest of this version. */
export function openDigest(versionKey: KeyObject, sealed: Uint8Array, versionId: VersionId): Uint8Array {
  return smallOpen(subkey(versionKey, 'digest'), sealed, tuple('sse/v1/digest', versionId), DIGEST_BYTES);
}

function wrapAad(wrapping: WrappingKey, { fileId, versionId }: VersionIds): Uint8Array {
  return tuple('sse/v1/dek', wrapping.id, fileId, versionId);
}
