import type { KeyObject } from 'node:crypto';
import { DomainError } from '../common/errors.js';
import type { AnyId, ClusterId, FileId } from '../common/ids.js';
import type { KeyRing, RingKey } from './key-ring.js';
import { SealError } from './seal-error.js';
import { SMALL_SEAL_OVERHEAD_BYTES, smallOpen, smallSeal, subkey } from './small-seal.js';
import { tuple } from './tuple.js';

/** What a sealed record is bound to: no node can pass it off as another one, or as a later one. */
export interface RecordBinding {
  readonly kind: string;
  readonly fileId: FileId;
  readonly id: AnyId;
  readonly page: number;
  readonly revision: number;
}

const FORMAT = 1;
const HEAD_BYTES = 2;

/**
 * Seals what the nodes keep about files, under a key of the key ring: `format 1 | length of the key's id 1 | key's id | small seal`, with a
 * subkey for this purpose. Nodes learn ids, revisions and lengths, and can forge nothing: neither a name nor a deletion.
 */
export class RecordCrypto {
  private readonly subkeys = new WeakMap<KeyObject, KeyObject>();

  /** @param keyRing the key ring as it is at the moment of each call */
  constructor(
    private readonly clusterId: ClusterId,
    private readonly keyRing: () => KeyRing,
  ) {}

  /** The id of the key that everything new is sealed under. */
  get activeKekId(): string {
    return this.keyRing().active;
  }

  /** @param kekId the key to seal under. @throws DomainError `key-missing` */
  seal(binding: RecordBinding, plain: Uint8Array, kekId: string): Uint8Array {
    const key = this.keyRing().key(kekId);
    const id = Buffer.from(key.id, 'utf8');
    const sealed = smallSeal(this.recordKey(key), plain, this.aad(binding, key.id));
    return Buffer.concat([Buffer.of(FORMAT, id.length), id, sealed]);
  }

  /** The key under which a record says that it is sealed. */
  keyOf(bytes: Uint8Array): string {
    return Buffer.from(bytes.subarray(HEAD_BYTES, HEAD_BYTES + (bytes[1] ?? 0))).toString('utf8');
  }

  /** True if a key was made after all that the key ring holds: then the key ring is an old copy. */
  isNewer(kekId: string): boolean {
    return this.keyRing().keys.every(({ id }) => numberOf(id) < numberOf(kekId));
  }

  /**
   * The plaintext, and the key under which it was sealed.
   * @throws DomainError `data-damaged` if it is not the record that it is said to be, `key-missing`
   */
  open(binding: RecordBinding, bytes: Uint8Array): { readonly plain: Uint8Array; readonly kekId: string } {
    const [format] = bytes;
    if (format !== FORMAT) throw new DomainError('data-damaged', `a record has format ${String(format)}, which is not known`);
    const kekId = this.keyOf(bytes);
    const sealed = bytes.subarray(HEAD_BYTES + (bytes[1] ?? 0));
    const key = this.keyRing().key(kekId);
    try {
      const plainBytes = sealed.length - SMALL_SEAL_OVERHEAD_BYTES;
      return { plain: smallOpen(this.recordKey(key), sealed, this.aad(binding, kekId), plainBytes), kekId };
    } catch (cause) {
      if (cause instanceof SealError) throw new DomainError('data-damaged', 'a record does not open', { cause });
      throw cause;
    }
  }

  private recordKey({ key }: RingKey): KeyObject {
    let derived = this.subkeys.get(key);
    if (derived === undefined) this.subkeys.set(key, (derived = subkey(key, 'record')));
    return derived;
  }

  private aad({ kind, fileId, id, page, revision }: RecordBinding, kekId: string): Uint8Array {
    return tuple('sse/v1/record', this.clusterId, kekId, kind, fileId, id, page, revision);
  }
}

/** Keys are numbered in the order in which they were made. */
function numberOf(kekId: string): number {
  return Number(kekId.slice(1));
}
