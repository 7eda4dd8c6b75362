import { concat, type Bytes } from './bytes.js';
import { normalName } from './drive-name.js';
import { SdkError } from './errors.js';
import { FieldReader, FieldWriter } from './fields.js';

const FORMAT = 0x01;
/** So that the length of what is sealed tells little about the length of a name. */
const PADDED_BYTES = 64;
/** The latest time that a `Date` can be. */
const TIME_MS_MAX = 8_640_000_000_000_000;
/** What can stand in a header or on a screen: printable ASCII. */
const MEDIA_TYPE = /^[\x20-\x7e]{0,255}$/;
const KINDS = { folder: 1, file: 2 } as const;

export type NodeKind = keyof typeof KINDS;

/** What only who may read a node learns of it. */
export interface NodeAttributes {
  /** Normalised (NFC). */
  readonly name: string;
  readonly kind: NodeKind;
  /** Whole milliseconds since 1970, as the writer's clock said. */
  readonly createdAt: number;
  readonly modifiedAt: number;
  /** Of a file, if it is known; else empty. Up to 255 characters of printable ASCII. */
  readonly mediaType: string;
}

export function encodeKind(kind: NodeKind): number {
  return KINDS[kind];
}

/** @throws SdkError `damaged` */
export function decodeKind(byte: number): NodeKind {
  if (byte === KINDS.folder) return 'folder';
  if (byte === KINDS.file) return 'file';
  throw new SdkError('damaged');
}

/** @throws SdkError `invalid-name`; RangeError for times and types that nobody could read */
export function encodeAttributes(attributes: NodeAttributes): Bytes {
  if (!isPresentable(attributes)) throw new RangeError('no time, or no media type');
  const { name, kind, createdAt, modifiedAt, mediaType } = attributes;
  const fields = new FieldWriter().u8(FORMAT).text(normalName(name)).u8(encodeKind(kind));
  const encoded = fields.u64(createdAt).u64(modifiedAt).text(mediaType).finish();
  return concat(encoded, new Uint8Array(Math.ceil(encoded.length / PADDED_BYTES) * PADDED_BYTES - encoded.length));
}

/** @throws SdkError `damaged`, `unsupported-format` */
export function decodeAttributes(bytes: Uint8Array): NodeAttributes {
  const reader = new FieldReader(bytes).format(FORMAT);
  const name = reader.text();
  const kind = decodeKind(reader.u8());
  const attributes = { name, kind, createdAt: reader.u64(), modifiedAt: reader.u64(), mediaType: reader.text() };
  const padding = reader.rest();
  const isPadding = padding.length < PADDED_BYTES && padding.every((byte) => byte === 0);
  const isWhole = isPadding && bytes.length % PADDED_BYTES === 0;
  if (!isWhole || normalised(name) !== name || !isPresentable(attributes)) throw new SdkError('damaged');
  return attributes;
}

function normalised(name: string): string | undefined {
  try {
    return normalName(name);
  } catch {
    return undefined; // a writer's client that lets such names through is not ours
  }
}

/** A writer chose these: they must neither break who shows them nor fill a memory. */
function isPresentable({ createdAt, modifiedAt, mediaType }: NodeAttributes): boolean {
  return createdAt <= TIME_MS_MAX && modifiedAt <= TIME_MS_MAX && MEDIA_TYPE.test(mediaType);
}
