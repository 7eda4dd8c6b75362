import { parse, stringify, v7, validate } from 'uuid';

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** The id of a file: a UUIDv7 (RFC 9562) that never changes, in lower case with dashes. */
export type FileId = Branded<'FileId'>;
/** The id of one immutable content of a file: a UUIDv7, so it also tells when its upload began. */
export type VersionId = Branded<'VersionId'>;
/** The id of a whole store; everything persisted carries it, so that parts of two stores are never mixed. */
export type ClusterId = Branded<'ClusterId'>;
/** The id of one node, for ever: a replaced disk is another node. */
export type NodeId = Branded<'NodeId'>;
/** Names a lease by which the gateway holds a version for a peer that reads it. */
export type LeaseId = Branded<'LeaseId'>;
/**
 * Whose a file is: the UUIDv7 of an account, {@link STORE_OWNER}, `drive:` and the id of an account for what lies in its drive, or `system:` and the
 * name of a collection of documents.
 */
export type OwnerId = Branded<'OwnerId'>;

/** The owner of everything in a store that has no accounts. */
export const STORE_OWNER = 'store' as OwnerId;

const DRIVE = 'drive:';
const DRIVE_OWNER = /^drive:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whose the nodes and contents of an account's drive are. */
export function driveOf(account: FileId): OwnerId {
  return `${DRIVE}${account}` as OwnerId;
}

/** The account whose drive an owner stands for; undefined for any other owner. */
export function accountOfDrive(owner: string): FileId | undefined {
  return DRIVE_OWNER.test(owner) ? (owner.slice(DRIVE.length) as FileId) : undefined;
}

export type AnyId = FileId | VersionId | ClusterId | NodeId | LeaseId;

/** Random bytes for ids, drawn many at a time: the library draws them for sixteen, which takes longer than all the rest of an id. */
const pool = new Uint8Array(4096);
const RANDOM_BYTES = 16;
let used = pool.length;
let lastMs = 0;
let sequence = 0;

/** Makes a new id; ids made later sort later, also within a millisecond (RFC 9562, section 6.2, method 1). */
export function newId<Id extends AnyId>(): Id {
  const random = drawRandom();
  const now = Date.now();
  if (now > lastMs) {
    lastMs = now;
    sequence = new DataView(random.buffer, random.byteOffset).getUint32(0) >>> 1;
  } else {
    sequence = (sequence + 1) | 0;
    if (sequence === 0) lastMs += 1;
  }
  return v7({ random, msecs: lastMs, seq: sequence }) as Id;
}

function drawRandom(): Uint8Array {
  if (used + RANDOM_BYTES > pool.length) {
    globalThis.crypto.getRandomValues(pool);
    used = 0;
  }
  return pool.subarray(used, (used += RANDOM_BYTES));
}

/** When a UUIDv7 was made, milliseconds since 1970. */
export function timeOfId(id: AnyId): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** Parses an id that came from outside; undefined if it is no UUID. */
export function parseId<Id extends AnyId>(text: string): Id | undefined {
  return validate(text) ? (text.toLowerCase() as Id) : undefined;
}

/** Where the hexadecimal digits of a UUID's bytes stand in its text. */
const DIGITS_AT = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34] as const;
const UUID_CHARACTERS = 36;

/** The 16 bytes of an id, in network order. Throws if it is no UUID. */
export function idToBytes(id: AnyId): Uint8Array {
  const bytes = new Uint8Array(DIGITS_AT.length);
  if (id.length !== UUID_CHARACTERS) return parse(id);
  for (let index = 0; index < DIGITS_AT.length; index += 1) {
    const at = DIGITS_AT[index] as number;
    const value = (digit(id.charCodeAt(at)) << 4) | digit(id.charCodeAt(at + 1));
    if (value < 0) return parse(id); // which says what is wrong with it
    bytes[index] = value;
  }
  return bytes;
}

/** The value of a hexadecimal digit; -1 for any other character. */
function digit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  if (code >= 0x61 && code <= 0x66) return code - 0x57;
  return -1;
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** The id of 16 bytes at an offset. Throws if they are no UUID. */
export function idFromBytes<Id extends AnyId>(bytes: Uint8Array, offset = 0): Id {
  const version = (bytes[offset + 6] ?? 0) >> 4;
  const variant = (bytes[offset + 8] ?? 0) >> 6;
  if (version < 1 || version > 8 || variant !== 2) return stringify(bytes, offset) as Id; // which says whether it is one all the same
  let text = '';
  for (let index = 0; index < DIGITS_AT.length; index += 1) {
    if (index === 4 || index === 6 || index === 8 || index === 10) text += '-';
    text += HEX[bytes[offset + index] as number] as string;
  }
  return text as Id;
}
