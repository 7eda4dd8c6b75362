import { ByteReader } from '../common/byte-codec.js';
import { DomainError } from '../common/errors.js';

/** What was kept, for the error that says that it cannot be read, and the versions of it that there are. */
export interface KeptFormat {
  readonly version: number;
  /** Of those that are still read; absent: that one alone. */
  readonly oldest?: number;
  readonly what: string;
}

/**
 * Reads the bytes of a document: its version first, and nothing may be left behind what is read.
 * @throws DomainError `data-damaged`
 */
export function readKept<Kept>(
  bytes: Uint8Array,
  { version, oldest = version, what }: KeptFormat,
  read: (reader: ByteReader) => Kept,
): Kept {
  try {
    const reader = new ByteReader(bytes);
    const found = reader.number();
    if (found < oldest || found > version) throw new Error(`it is of version ${found}`);
    const kept = read(reader);
    reader.end();
    return kept;
  } catch (cause) {
    throw new DomainError('data-damaged', `${what} cannot be read`, { cause });
  }
}
