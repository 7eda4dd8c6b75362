import { ByteReader } from '../common/byte-codec.js';
import { DomainError } from '../common/errors.js';

/** What was kept, for the error that says that it cannot be read, and the one version of it that there is. */
export interface KeptFormat {
  readonly version: number;
  readonly what: string;
}

/**
 * Reads the bytes of a document: its version first, and nothing may be left behind what is read.
 * @throws DomainError `data-damaged`
 */
export function readKept<Kept>(bytes: Uint8Array, { version, what }: KeptFormat, read: (reader: ByteReader) => Kept): Kept {
  try {
    const reader = new ByteReader(bytes);
    const found = reader.number();
    if (found !== version) throw new Error(`it is of version ${found}`);
    const kept = read(reader);
    reader.end();
    return kept;
  } catch (cause) {
    throw new DomainError('data-damaged', `${what} cannot be read`, { cause });
  }
}
