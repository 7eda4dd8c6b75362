import { createHash, timingSafeEqual } from 'node:crypto';
import { DomainError } from '../common/errors.js';
import type { SnapshotEntry } from '../metadata/metadata-store.js';
import { decodeEntry, encodeEntry, type BackupEntry, type BackupHead } from './backup-entry.js';

const LENGTH_BYTES = 4;
/** As of a record on a node: an entry says no more than one. */
const ENTRY_BYTES_MAX = 16 * 1024 * 1024;
/** Small entries are handed on together. */
const PIECE_BYTES = 64 * 1024;

/** The plaintext of a backup: entries with their lengths before them, and at the end how many they are and their digest. */
export async function* backupStream(
  head: BackupHead,
  snapshot: AsyncIterable<SnapshotEntry>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const digest = createHash('sha256');
  let entries = 1;
  let waiting = [framed(head)];
  let bytes = 0;
  const take = (): Uint8Array => {
    const piece = Buffer.concat(waiting);
    digest.update(piece);
    waiting = [];
    bytes = 0;
    return piece;
  };
  for await (const entry of snapshot) {
    const frame = framed(entry);
    entries += 1;
    waiting.push(frame);
    bytes += frame.length;
    if (bytes >= PIECE_BYTES) yield take();
  }
  if (waiting.length > 0) yield take();
  yield framed({ kind: 'end', entries: entries + 1, digest: digest.digest() });
}

function framed(entry: BackupEntry): Buffer {
  const bytes = encodeEntry(entry);
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + bytes.length);
  frame.writeUInt32BE(bytes.length);
  frame.set(bytes, LENGTH_BYTES);
  return frame;
}

/**
 * The entries of a backup, the head first. None may be relied on before the last one was read: only then it is known that it is whole.
 * @throws DomainError `backup-unusable` if it is of another format, ends early, goes on behind its end, or is not what its digest says
 */
export async function* backupEntries(
  plain: AsyncIterable<Uint8Array>,
): AsyncGenerator<BackupHead | SnapshotEntry, void, undefined> {
  const digest = createHash('sha256');
  let count = 0;
  let isEnded = false;
  for await (const frame of framesOf(plain)) {
    if (isEnded) throw unusable('it goes on behind its end');
    const entry = decoded(frame);
    count += 1;
    if ((count === 1) !== (entry.kind === 'head')) throw unusable('it does not begin with its head, or has two');
    if (entry.kind !== 'end') {
      digest.update(frame);
      yield entry;
      continue;
    }
    isEnded = true;
    if (entry.entries !== count || !timingSafeEqual(entry.digest, digest.digest()))
      throw unusable('its count or its digest is not that of what it holds');
  }
  if (!isEnded) throw unusable('it ends early');
}

function decoded(frame: Uint8Array): BackupEntry {
  try {
    return decodeEntry(frame.subarray(LENGTH_BYTES));
  } catch (cause) {
    throw unusable((cause as Error).message, cause);
  }
}

/** Entries with their lengths, each in a buffer of its own or a view of the piece that it came in. */
async function* framesOf(plain: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of plain) {
    rest = rest.length === 0 ? Buffer.from(piece.buffer, piece.byteOffset, piece.length) : Buffer.concat([rest, piece]);
    for (let length = frameBytes(rest); length <= rest.length; length = frameBytes(rest)) {
      yield rest.subarray(0, length);
      rest = rest.subarray(length);
    }
  }
  if (rest.length > 0) throw unusable('it ends early');
}

/** How long the first frame is, as far as that is known. */
function frameBytes(bytes: Buffer): number {
  if (bytes.length < LENGTH_BYTES) return LENGTH_BYTES;
  const length = bytes.readUInt32BE();
  if (length === 0 || length > ENTRY_BYTES_MAX) throw unusable('an entry has a length that it cannot have');
  return LENGTH_BYTES + length;
}

function unusable(what: string, cause?: unknown): DomainError {
  return new DomainError('backup-unusable', `the backup cannot be used: ${what}`, { cause });
}
