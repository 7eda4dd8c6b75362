import type { Bytes } from './bytes.js';
import { SdkError } from './errors.js';

/** What is uploaded: bytes that can be read again, from anywhere, for a part that has to be sent a second time. */
export interface Source {
  /** Undefined of a stream, which ends when it ends, and which is read once, from its beginning. */
  readonly size: number | undefined;
  /** Whole milliseconds since 1970. */
  readonly modifiedAtMs?: number;
  /** SHA-256 over whatever else tells this content from another one of the same size and time. Without it an upload cannot be resumed. */
  readonly fingerprint?: Bytes | undefined;
  /** Where the bytes come from, such as a path: an upload to the same place from elsewhere is another one. */
  readonly origin?: string;
  /** The bytes from `from` up to `to`, exactly. They must not be changed by the source afterwards. */
  read(from: number, to: number): AsyncIterable<Uint8Array>;
  /** Asked before the content becomes visible. @throws SdkError `source-changed` if what was read is not what is there now */
  assertUnchanged?(): Promise<void>;
}

/** A source whose size is known. */
export type SizedSource = Source & { readonly size: number };

export function isSized(source: Source): source is SizedSource {
  return source.size !== undefined;
}

/** Bytes in memory; they must not be changed until the upload has ended. */
export function sourceOfBytes(bytes: Uint8Array): SizedSource {
  return { size: bytes.length, read: (from, to) => one(() => Promise.resolve(bytes.subarray(from, to))) };
}

/** Of a slice of a Blob this much is in memory at once. */
const BLOB_READ_BYTES = 1_048_064;

/** A Blob, or a File that somebody chose in a browser. */
export function sourceOfBlob(blob: Blob): SizedSource {
  const modifiedAtMs = 'lastModified' in blob && typeof blob.lastModified === 'number' ? blob.lastModified : undefined;
  return {
    size: blob.size,
    ...(modifiedAtMs !== undefined && { modifiedAtMs }),
    read: (from, to) => readBlob(blob, from, to),
  };
}

/** A stream that is read once, such as a pipe: it is sealed while it comes. */
export function sourceOfStream(stream: AsyncIterable<Uint8Array>): Source {
  let isRead = false;
  return {
    size: undefined,
    read(from) {
      if (isRead || from !== 0) throw new SdkError('source-changed');
      isRead = true;
      return stream;
    },
  };
}

async function* one(get: () => Promise<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  yield await get();
}

async function* readBlob(blob: Blob, from: number, to: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = from; at < to; at += BLOB_READ_BYTES) {
    const slice = blob.slice(at, Math.min(to, at + BLOB_READ_BYTES));
    try {
      yield new Uint8Array(await slice.arrayBuffer());
    } catch (cause) {
      throw new SdkError('source-changed', { cause }); // a File whose file was changed or removed since it was chosen
    }
  }
}
