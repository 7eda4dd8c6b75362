import { ByteReader, ByteWriter } from '../common/byte-codec.js';
import { DomainError } from '../common/errors.js';

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
  try {
    return readSharing(new ByteReader(bytes));
  } catch (cause) {
    throw new DomainError('data-damaged', 'what is kept of a shared node cannot be read', { cause });
  }
}

function readSharing(reader: ByteReader): StoredSharing {
  const version = reader.number();
  if (version !== VERSION) throw new Error(`it is of version ${version}`);
  const writers = reader.bytes();
  const grants: Uint8Array[] = [];
  for (let left = reader.number(); left > 0; left -= 1) grants.push(reader.bytes());
  reader.end();
  return { writers, grants };
}
