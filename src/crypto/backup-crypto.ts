import { createSecretKey, type KeyObject } from 'node:crypto';
import { ByteReader } from '../common/byte-codec.js';
import { DomainError } from '../common/errors.js';
import { idFromBytes, idToBytes, newId, type ClusterId, type FileId } from '../common/ids.js';
import { VERSION_KEY_BYTES } from './envelope.js';
import { HEADER_BYTES } from './floe-format.js';
import type { KeyRing, RingKey } from './key-ring.js';
import { NodeFloeOpener } from './node-floe-opener.js';
import { NodeFloeSealer } from './node-floe-sealer.js';
import { sharedRandomPool } from './random-pool.js';
import { SealError } from './seal-error.js';
import { SMALL_SEAL_OVERHEAD_BYTES, smallOpen, smallSeal, subkey } from './small-seal.js';
import { tuple } from './tuple.js';

const MAGIC = Buffer.from('dcloudbk', 'latin1');
const FORMAT = 1;
const ID_BYTES = 16;
/** Magic, format, ids of cluster and backup, length of the key's id. */
const FIXED_BYTES = MAGIC.length + 1 + 2 * ID_BYTES + 1;
const WRAPPED_BYTES = SMALL_SEAL_OVERHEAD_BYTES + VERSION_KEY_BYTES;

/** No head of a backup is longer. */
export const BACKUP_HEAD_BYTES_MAX = FIXED_BYTES + 255 + WRAPPED_BYTES + HEADER_BYTES;

export interface BackupSealing {
  /** What stands before the sealed body. */
  readonly head: Uint8Array;
  readonly sealer: NodeFloeSealer;
}

export interface BackupOpening {
  /** Where the sealed body begins. */
  readonly headBytes: number;
  readonly opener: NodeFloeOpener;
}

/** What binds the parts of a backup together. */
interface BackupIds {
  readonly clusterId: ClusterId;
  readonly backupId: FileId;
}

/**
 * Seals a backup under a key of its own, which is wrapped by the active key of the key ring: `magic | format | cluster | backup | key's id |
 * wrapped key | FLOE header`, and then the body.
 */
export class BackupCrypto {
  /** @param keyRing the key ring as it is at the moment of each call */
  constructor(private readonly keyRing: () => KeyRing) {}

  seal(): BackupSealing {
    const { clusterId, activeKey } = this.keyRing();
    const ids = { clusterId, backupId: newId<FileId>() };
    const raw = new Uint8Array(VERSION_KEY_BYTES);
    sharedRandomPool.fill(raw, 0, raw.length);
    try {
      const sealer = new NodeFloeSealer(createSecretKey(raw), bodyAad(ids));
      const keyId = Buffer.from(activeKey.id, 'utf8');
      const wrapped = smallSeal(wrappingKey(activeKey), raw, wrapAad(activeKey, ids));
      const start = [MAGIC, Buffer.of(FORMAT), idToBytes(clusterId), idToBytes(ids.backupId), Buffer.of(keyId.length), keyId];
      return { head: Buffer.concat([...start, wrapped, sealer.header]), sealer };
    } finally {
      raw.fill(0);
    }
  }

  /**
   * @param start of the backup, with at least its head
   * @throws DomainError `backup-unusable` if it is no backup, of a later format, or changed; `storage-mismatch` if it is another cluster's; `key-missing`
   */
  open(start: Uint8Array): BackupOpening {
    const { ids, keyId, wrapped, header, headBytes } = parseHead(start);
    const keyRing = this.keyRing();
    if (ids.clusterId !== keyRing.clusterId)
      throw new DomainError(
        'storage-mismatch',
        `the backup is of cluster ${ids.clusterId}, and the key ring of ${keyRing.clusterId}`,
      );
    const key = keyRing.key(keyId);
    let raw: Uint8Array | undefined;
    try {
      raw = smallOpen(wrappingKey(key), wrapped, wrapAad(key, ids), VERSION_KEY_BYTES);
      return { headBytes, opener: new NodeFloeOpener(createSecretKey(raw), header, bodyAad(ids)) };
    } catch (cause) {
      if (cause instanceof SealError)
        throw unusable('its head was changed, or the key ring is not the one that it was sealed with', cause);
      throw cause;
    } finally {
      raw?.fill(0);
    }
  }
}

function parseHead(start: Uint8Array): {
  readonly ids: BackupIds;
  readonly keyId: string;
  readonly wrapped: Uint8Array;
  readonly header: Uint8Array;
  readonly headBytes: number;
} {
  if (!MAGIC.equals(start.subarray(0, MAGIC.length))) throw unusable('it is no backup');
  const format = start[MAGIC.length];
  if (format !== FORMAT) throw unusable(`its format is ${String(format)}, and this program knows ${FORMAT}: use a newer program`);
  try {
    const reader = new ByteReader(start.subarray(MAGIC.length + 1));
    const clusterId = idFromBytes<ClusterId>(reader.fixed(ID_BYTES));
    const backupId = idFromBytes<FileId>(reader.fixed(ID_BYTES));
    const [keyIdBytes = 0] = reader.fixed(1);
    const keyId = Buffer.from(reader.fixed(keyIdBytes)).toString('utf8');
    const [wrapped, header] = [reader.fixed(WRAPPED_BYTES), reader.fixed(HEADER_BYTES)];
    const headBytes = FIXED_BYTES + keyIdBytes + WRAPPED_BYTES + HEADER_BYTES;
    return { ids: { clusterId, backupId }, keyId, wrapped, header, headBytes };
  } catch (cause) {
    throw unusable('its head is damaged or cut short', cause);
  }
}

function wrappingKey({ key }: RingKey): KeyObject {
  return subkey(key, 'backup');
}

function wrapAad({ id }: RingKey, { clusterId, backupId }: BackupIds): Uint8Array {
  return tuple('sse/v1/backup-dek', clusterId, id, backupId);
}

function bodyAad({ clusterId, backupId }: BackupIds): Uint8Array {
  return tuple('sse/v1/backup', clusterId, backupId);
}

function unusable(what: string, cause?: unknown): DomainError {
  return new DomainError('backup-unusable', `the backup cannot be used: ${what}`, { cause });
}
