import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { errorCode } from '../../common/errors.js';

// Plain descriptors rather than FileHandles: half the cost a call on small shards, and each is closed in the function that opened it.
const open = promisify(fs.open);
const close = promisify(fs.close);
const read = promisify(fs.read);
const writev = promisify(fs.writev);
const fsync = promisify(fs.fsync);
const rename = promisify(fs.rename);
const unlink = promisify(fs.unlink);

/** The part of the `read` of a file that its reader needs: fills the bytes from the file's position on, and returns how many it got. */
export type ReadInto = (bytes: Uint8Array) => Promise<number>;

/**
 * Writes a file so that there is never a half of one at `target`: into `temp`, fsync, rename. The new name itself is durable only after
 * {@link syncDirectory}, which the caller does once for many files. A `temp` that is there already is overwritten.
 */
export async function writeWhole(
  paths: { readonly target: string; readonly temp: string },
  parts: readonly Uint8Array[],
): Promise<void> {
  try {
    await withFile(paths.temp, 'w', async (descriptor) => {
      await writeAll(descriptor, parts);
      await fsync(descriptor);
    });
    await rename(paths.temp, paths.target);
  } catch (error) {
    await removeQuietly(paths.temp);
    throw error;
  }
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return; // Windows opens no directories; NTFS journals names by itself
  await withFile(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY, (descriptor) => fsync(descriptor));
}

/** Opens a file for the time of `work`, which reads it from its start. */
export function readFrom<Result>(path: string, work: (readInto: ReadInto) => Promise<Result>): Promise<Result> {
  return withFile(path, 'r', (descriptor) =>
    work(async (bytes) => (await read(descriptor, bytes, 0, bytes.byteLength, null)).bytesRead),
  );
}

/** Removes a file; one that is not there is no error. */
export async function remove(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

/** Removes a file that only takes up space: if that fails, a later walk over the folder does it. */
export async function removeQuietly(path: string): Promise<void> {
  await unlink(path).catch(() => undefined);
}

async function withFile<Result>(
  path: string,
  flags: string | number,
  work: (descriptor: number) => Promise<Result>,
): Promise<Result> {
  const descriptor = await open(path, flags, 0o600);
  let result: Result;
  try {
    result = await work(descriptor);
  } catch (error) {
    await close(descriptor).catch(() => undefined); // the first error is the one that tells why
    throw error;
  }
  await close(descriptor); // some file systems report a failed write only here
  return result;
}

async function writeAll(descriptor: number, parts: readonly Uint8Array[]): Promise<void> {
  let left = parts.filter((part) => part.byteLength > 0);
  while (left.length > 0) {
    const { bytesWritten } = await writev(descriptor, left);
    left = withoutFirst(left, bytesWritten);
  }
}

/** What is still to be written after `count` bytes: the kernel may take fewer than it was given. */
export function withoutFirst(parts: readonly Uint8Array[], count: number): Uint8Array[] {
  const left: Uint8Array[] = [];
  let skip = count;
  for (const part of parts) {
    if (skip < part.byteLength) left.push(skip === 0 ? part : part.subarray(skip));
    skip = Math.max(0, skip - part.byteLength);
  }
  return left;
}
