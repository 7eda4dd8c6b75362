import { createSecretKey, type KeyObject } from 'node:crypto';
import { DomainError } from '../common/errors.js';
import type { FileId, VersionId } from '../common/ids.js';
import {
  VERSION_KEY_BYTES,
  bodyAad,
  openDigest,
  sealDigest,
  unwrapVersionKey,
  wrapVersionKey,
  type VersionIds,
} from './envelope.js';
import type { KeyRing } from './key-ring.js';
import { NodeFloeOpener } from './node-floe-opener.js';
import { NodeFloeSealer } from './node-floe-sealer.js';
import { sharedRandomPool } from './random-pool.js';
import { SealError } from './seal-error.js';

/** A version's key, wrapped by the key of the key ring with this id. */
export interface WrappedVersionKey {
  readonly kekId: string;
  /** 61 bytes. */
  readonly wrappedKey: Uint8Array;
}

/** All that is kept of a version's keys. The same shape as the metadata module's, which this module may not know. */
export interface VersionSeal extends WrappedVersionKey {
  /** The FLOE header of the body: 74 bytes. */
  readonly header: Uint8Array;
  /** SHA-256 of the plaintext, sealed under the version's key: 61 bytes. */
  readonly sealedDigest: Uint8Array;
}

export interface VersionSealing {
  readonly sealer: NodeFloeSealer;
  /** What opens the version, with no need to unwrap its key. @param digestSha256 of the plaintext */
  readonly toOpening: (digestSha256: Uint8Array) => VersionOpening;
  /**
   * What to keep of the version. To be called when it is committed: the key is wrapped by the key that is active *then*, so that an
   * upload which outlives a rotation does not bring a retired key back.
   */
  readonly finishSeal: (digestSha256: Uint8Array) => VersionSeal;
}

export interface VersionOpening {
  readonly opener: NodeFloeOpener;
  /** SHA-256 of the plaintext. @throws DomainError `data-damaged` */
  readonly digest: () => Uint8Array;
}

/** The encryption at rest of whole versions: a fresh key for each one, wrapped by the key ring. */
export class VersionCrypto {
  /** @param keyRing the key ring as it is at the moment of each call */
  constructor(private readonly keyRing: () => KeyRing) {}

  seal(fileId: FileId, versionId: VersionId): VersionSealing {
    const versionKey = newVersionKey();
    const sealer = new NodeFloeSealer(versionKey, bodyAad(versionId));
    const finishSeal = (digestSha256: Uint8Array): VersionSeal => {
      if (!sealer.finished) throw new Error('a version is kept only after its final segment was sealed');
      const sealedDigest = sealDigest(versionKey, digestSha256, versionId);
      return { ...this.wrap(versionKey, { fileId, versionId }), header: sealer.header, sealedDigest };
    };
    const toOpening = (digestSha256: Uint8Array): VersionOpening =>
      openingOfSealed(versionKey, sealer.header, versionId, digestSha256);
    return { sealer, finishSeal, toOpening };
  }

  /**
   * @throws DomainError `data-damaged` if the seal is not that of this version
   * @throws DomainError `key-missing` if the key ring does not hold the key that it names
   */
  open(ids: VersionIds, seal: VersionSeal): VersionOpening {
    return asDamage('the sealed key of this version does not open', () => {
      const versionKey = this.unwrap(ids, seal);
      const opener = new NodeFloeOpener(versionKey, seal.header, bodyAad(ids.versionId));
      return lazyOpening(
        () => opener,
        () =>
          asDamage('the sealed digest of this version does not open', () =>
            openDigest(versionKey, seal.sealedDigest, ids.versionId),
          ),
      );
    });
  }

  /** The key of the key ring that wraps the keys of new versions. */
  get activeKeyId(): string {
    return this.keyRing().active;
  }

  /**
   * Takes over the seal of a version that another process has made: proves that it opens, and wraps its key by the key that is active now.
   * @returns also the SHA-256 of the plaintext. Throws as `open`
   */
  adopt(ids: VersionIds, seal: VersionSeal): { readonly seal: VersionSeal; readonly sum: Uint8Array } {
    const sum = this.open(ids, seal).digest();
    if (seal.kekId === this.activeKeyId) return { seal, sum };
    const { kekId, wrappedKey } = this.rewrap(ids, seal);
    return { seal: { ...seal, kekId, wrappedKey }, sum };
  }

  /** Wraps a version's key by the active key instead; the body stays as it is. `from` is the key that wrapped it before. Throws as `open`. */
  rewrap(ids: VersionIds, seal: WrappedVersionKey): WrappedVersionKey & { readonly from: string } {
    const versionKey = asDamage('the sealed key of this version does not open', () => this.unwrap(ids, seal));
    return { from: seal.kekId, ...this.wrap(versionKey, ids) };
  }

  private wrap(versionKey: KeyObject, ids: VersionIds): WrappedVersionKey {
    const { activeKey } = this.keyRing();
    return { kekId: activeKey.id, wrappedKey: wrapVersionKey(activeKey, versionKey, ids) };
  }

  private unwrap(ids: VersionIds, { kekId, wrappedKey }: WrappedVersionKey): KeyObject {
    return unwrapVersionKey(this.keyRing().key(kekId), wrappedKey, ids);
  }
}

/** Not made where the version is sealed: its closures would keep the sealer and all its keys, for as long as a cache has them. */
function openingOfSealed(key: KeyObject, header: Uint8Array, versionId: VersionId, digestSha256: Uint8Array): VersionOpening {
  return lazyOpening(
    () => new NodeFloeOpener(key, header, bodyAad(versionId)),
    () => digestSha256,
  );
}

/** Makes each part when it is first asked for, and once. */
function lazyOpening(makeOpener: () => NodeFloeOpener, openSum: () => Uint8Array): VersionOpening {
  let opener: NodeFloeOpener | undefined;
  let sum: Uint8Array | undefined;
  return {
    get opener() {
      return (opener ??= makeOpener());
    },
    digest: () => (sum ??= openSum()),
  };
}

function newVersionKey(): KeyObject {
  const raw = new Uint8Array(VERSION_KEY_BYTES);
  sharedRandomPool.fill(raw, 0, raw.length);
  try {
    return createSecretKey(raw);
  } finally {
    raw.fill(0);
  }
}

function asDamage<Result>(detail: string, call: () => Result): Result {
  try {
    return call();
  } catch (cause) {
    if (cause instanceof SealError) throw new DomainError('data-damaged', detail, { cause });
    throw cause;
  }
}
