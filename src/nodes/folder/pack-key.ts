import { parseId, type FileId, type VersionId } from '../../common/ids.js';
import { NodeError, type RecordKey, type RecordKind, type ShardId } from '../storage-node.js';

/**
 * What the entries of packs are found by: 24 bytes, held as six words of 32 bits. The id is four words; then come 3 bits of tag, 53 bits
 * of number (the stripe, or the page) and 8 bits of index. So keys sort version by version, stripe by stripe.
 */
export type Key = Uint32Array;

export const KEY_WORDS = 6;
export const KEY_BYTES = 24;

const TAG_SHARD = 0;
const KINDS: readonly (RecordKind | undefined)[] = [undefined, 'manifest', 'layout', 'tombstone'];
const NUMBER_LOW = 2 ** 24;
const NUMBER_HIGH_MASK = 2 ** 29 - 1;

/** Makes keys, into one array that the next call overwrites. An id is turned into words once for a run of keys that share it. */
export class KeyEncoder {
  private readonly key: Key = new Uint32Array(KEY_WORDS);
  private id = '';

  /** The key of a shard. Throws `rejected` for what is no id of one. */
  shard({ versionId, stripe, index }: ShardId): Key {
    if (!Number.isSafeInteger(stripe) || stripe < 0 || !Number.isSafeInteger(index) || index < 0 || index > 255)
      throw new NodeError('rejected', `${JSON.stringify(versionId)}, stripe ${stripe}, index ${index} is no id of a shard`);
    this.setId(versionId);
    this.setNumber(TAG_SHARD, stripe, index);
    return this.key;
  }

  /** The key of a record. Throws `rejected` for what is no key of one. */
  record({ kind, id, page }: RecordKey): Key {
    const tag = KINDS.indexOf(kind);
    if (tag <= 0 || !Number.isSafeInteger(page) || page < 0 || (kind !== 'layout' && page !== 0))
      throw new NodeError('rejected', `${JSON.stringify(kind)} ${JSON.stringify(id)}, page ${page} is no key of a record`);
    this.setId(id);
    this.setNumber(tag, page, 0);
    return this.key;
  }

  private setNumber(tag: number, number: number, index: number): void {
    const high = Math.floor(number / NUMBER_LOW);
    this.key[4] = tag * 2 ** 29 + high;
    this.key[5] = (number - high * NUMBER_LOW) * 256 + index;
  }

  private setId(id: VersionId | FileId): void {
    if (id === this.id) return;
    if (typeof id !== 'string' || parseId(id) !== id) throw new NodeError('rejected', `${JSON.stringify(id)} is no id`);
    const hex = id.replaceAll('-', '');
    for (let word = 0; word < 4; word += 1) this.key[word] = Number.parseInt(hex.slice(word * 8, word * 8 + 8), 16);
    this.id = id;
  }
}

/** Reads keys that {@link KeyEncoder} made; consecutive keys of one id share its text. */
export class KeyDecoder {
  private readonly last = new Uint32Array(4);
  private id = '00000000-0000-0000-0000-000000000000';

  shardId(keys: Uint32Array, at = 0): ShardId {
    return { versionId: this.idAt(keys, at) as VersionId, stripe: numberAt(keys, at), index: (keys[at + 5] as number) & 255 };
  }

  /** Undefined if the key is that of a shard. */
  recordKey(keys: Uint32Array, at = 0): RecordKey | undefined {
    const kind = KINDS[(keys[at + 4] as number) >>> 29];
    return kind === undefined ? undefined : { kind, id: this.idAt(keys, at) as VersionId, page: numberAt(keys, at) };
  }

  private idAt(keys: Uint32Array, at: number): string {
    const last = this.last;
    let isSame = true;
    for (let word = 0; word < 4; word += 1) isSame &&= last[word] === keys[at + word];
    if (isSame) return this.id;
    last.set(keys.subarray(at, at + 4));
    const hex = Array.from(last, (word) => word.toString(16).padStart(8, '0')).join('');
    this.id = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
    return this.id;
  }
}

/** The key of the manifest of the version whose shard this is the key of. */
export function manifestKeyOf(shard: Key): Key {
  const key = shard.slice();
  key[4] = KINDS.indexOf('manifest') * 2 ** 29;
  key[5] = 0;
  return key;
}

export function writeKey(view: DataView, at: number, key: Key): void {
  for (let word = 0; word < KEY_WORDS; word += 1) view.setUint32(at + word * 4, key[word] as number);
}

export function readKey(view: DataView, at: number, key: Key): void {
  for (let word = 0; word < KEY_WORDS; word += 1) key[word] = view.getUint32(at + word * 4);
}

function numberAt(keys: Uint32Array, at: number): number {
  return ((keys[at + 4] as number) & NUMBER_HIGH_MASK) * NUMBER_LOW + ((keys[at + 5] as number) >>> 8);
}
