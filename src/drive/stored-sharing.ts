import { ByteWriter } from '../common/byte-codec.js';
import { readKept } from '../documents/read-kept.js';

const VERSION = 1;

/** What is kept of how a node is shared: a document under `s/<node>`. */
export interface StoredSharing {
  /** The newest list of writers, as the owner signed it. */
  readonly writers: Uint8Array;
  /** All grants, as the owner signed them; one for each recipient. */
  readonly grants: readonly Uint8Array[];
}

export function encodeSharing({ writers, grants }: StoredSharing): Uint8Array {
  const writer = new ByteWriter().number(VERSION).bytes(writers).number(grants.length);
  for (const grant of grants) writer.bytes(grant);
  return writer.finish();
}

/** @throws DomainError `data-damaged` */
export function decodeSharing(bytes: Uint8Array): StoredSharing {
  return readKept(bytes, { version: VERSION, what: 'what is kept of a shared node' }, (reader) => {
    const writers = reader.bytes();
    const grants: Uint8Array[] = [];
    for (let left = reader.number(); left > 0; left -= 1) grants.push(reader.bytes());
    return { writers, grants };
  });
}
