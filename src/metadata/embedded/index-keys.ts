import { idFromBytes, idToBytes, STORE_OWNER, type AnyId, type FileId, type OwnerId, type VersionId } from '../../common/ids.js';
import { mayBeginName, SPACE } from '../list-cursor.js';

/** The keys of the index. LMDB compares them byte by byte, which for UTF-8 is the order of the code points. */

const ID_BYTES = 16;
const PAGE_BYTES = 4;
/** Ends a text in a key. Names and key ids hold no control characters, so "a" comes before "a!" whatever id follows. */
const TERMINATOR = 0;
/** Begins the name of a file of another owner than the store's: before all names, since none begins with a control character. */
const OWNED = 1;

export type Key = Uint8Array;

const EMPTY: Key = new Uint8Array(0);

/** From `lower` on, and before `upper`; an absent end is open. */
export interface KeyRange {
  readonly lower?: Key;
  readonly upper?: Key;
}

export const idKey = idToBytes;

export function nameKey(owner: OwnerId, name: string, id: FileId): Key {
  const key = textKey(name, id);
  return owner === STORE_OWNER ? key : Buffer.concat([namesOf(owner), key]);
}

/** With what the names of an owner begin: nothing for the store's own. */
export function namesOf(owner: OwnerId): Key {
  return owner === STORE_OWNER ? EMPTY : Buffer.concat([Buffer.of(OWNED), textEnd(owner, TERMINATOR)]);
}

export function ownerKey(owner: OwnerId): Key {
  return Buffer.from(owner, 'utf8');
}

/** For the order of creation of what an owner has who is not the store's own. */
export function createdKey(owner: OwnerId, id: FileId): Key {
  return textKey(owner, id);
}

/** With what the keys of that order begin: nothing for the store's own. */
export function creationsOf(owner: OwnerId): Key {
  return owner === STORE_OWNER ? EMPTY : textEnd(owner, TERMINATOR);
}

export function kekKey(kekId: string, id: VersionId): Key {
  return textKey(kekId, id);
}

function textKey(text: string, id: AnyId): Key {
  return Buffer.concat([textEnd(text, TERMINATOR), idToBytes(id)]);
}

function textEnd(text: string, end: number): Key {
  return Buffer.concat([Buffer.from(text, 'utf8'), Buffer.of(end)]);
}

/** The file id at the end of a name's key, or of its own. */
export function fileOfKey(key: Key): FileId {
  return idFromBytes<FileId>(key, key.length - ID_BYTES);
}

/** The version id at the end of a key id's key, or of its own. */
export function versionOfKey(key: Key): VersionId {
  return idFromBytes<VersionId>(key, key.length - ID_BYTES);
}

/** The keys of all versions that a key id wraps. */
export function kekRange(kekId: string): KeyRange {
  return { lower: textEnd(kekId, TERMINATOR), upper: textEnd(kekId, TERMINATOR + 1) };
}

export function layoutKey(versionId: VersionId, page: number): Key {
  const key = Buffer.alloc(ID_BYTES + PAGE_BYTES);
  key.set(idToBytes(versionId));
  key.writeUInt32BE(page, ID_BYTES);
  return key;
}

export function versionOfLayoutKey(key: Key): VersionId {
  return idFromBytes<VersionId>(key);
}

export function pageOfLayoutKey(key: Key): number {
  return Buffer.from(key).readUInt32BE(ID_BYTES);
}

/** The keys of all pages of a version. */
export function layoutRange(versionId: VersionId): KeyRange {
  return prefixRange(idToBytes(versionId));
}

export function nodeKey(node: number): Key {
  const key = Buffer.alloc(4);
  key.writeUInt32BE(node);
  return key;
}

export function nodeOfKey(key: Key): number {
  return Buffer.from(key).readUInt32BE();
}

/** The keys of all names of an owner with a prefix; undefined if there can be none: a prefix could reach from the names of the store into those of others. */
export function nameRange(owner: OwnerId, prefix: string): KeyRange | undefined {
  if (!mayBeginName(prefix)) return undefined;
  const start = Buffer.concat([namesOf(owner), Buffer.from(prefix, 'utf8')]);
  return start.length === 0 ? { lower: Buffer.of(SPACE) } : prefixRange(start);
}

/** The keys of exactly this name. */
export function exactRange(owner: OwnerId, name: string): KeyRange {
  const own = namesOf(owner);
  return { lower: Buffer.concat([own, textEnd(name, TERMINATOR)]), upper: Buffer.concat([own, textEnd(name, TERMINATOR + 1)]) };
}

/** All keys that begin with some bytes: up to the next greater bytes of that length or shorter, which "all 0xFF" does not have. */
export function prefixRange(prefix: Key): KeyRange {
  const last = prefix.findLastIndex((byte) => byte < 0xff);
  if (last < 0) return { lower: prefix };
  const upper = Buffer.from(prefix.subarray(0, last + 1));
  upper[last] = (upper[last] ?? 0) + 1;
  return { lower: prefix, upper };
}
