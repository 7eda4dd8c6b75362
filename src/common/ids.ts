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

export type AnyId = FileId | VersionId | ClusterId | NodeId;

/** Makes a new id; ids made later sort later. */
export function newId<Id extends AnyId>(): Id {
  return v7() as Id;
}

/** Parses an id that came from outside; undefined if it is no UUID. */
export function parseId<Id extends AnyId>(text: string): Id | undefined {
  return validate(text) ? (text.toLowerCase() as Id) : undefined;
}

/** The 16 bytes of an id, in network order. */
export function idToBytes(id: AnyId): Uint8Array {
  return parse(id);
}

/** The id of 16 bytes at an offset. Throws if they are no UUID. */
export function idFromBytes<Id extends AnyId>(bytes: Uint8Array, offset = 0): Id {
  return stringify(bytes, offset) as Id;
}
