import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { errorCode } from '../../common/errors.js';
import type { FileCalls } from './file-calls.js';

const open = promisify(fs.open);
const close = promisify(fs.close);
const read = promisify(fs.read);

/** The part of the `read` of a file that its reader needs: fills the bytes from the file's position on, and returns how many it got. */
export type ReadInto = (bytes: Uint8Array) => Promise<number>;

/**
 * Writes a file so that there is never a half of one at `target`: into `temp`, fsync, rename. The new name itself is durable only after
 * {@link syncDirectory}, which the caller does once for many files. A `temp` that is there already is overwritten.
 */
export async function writeWhole(
  files: FileCalls,
  paths: { readonly target: string; readonly temp: string },
  parts: readonly Uint8Array[],
): Promise<void> {
  try {
    const descriptor = await files.open(paths.temp, 'w');
    await closing(files, descriptor, async () => {
      let position = 0;
      for (const part of parts) {
        await writeAll(files, { descriptor, position }, part);
        position += part.byteLength;
      }
      await files.fsync(descriptor);
    });
    await files.rename(paths.temp, paths.target);
  } catch (error) {
    await removeQuietly(files, paths.temp);
    throw error;
  }
}

/** Writes all of the bytes: the kernel may take fewer than it was given. */
export async function writeAll(
  files: FileCalls,
  at: { readonly descriptor: number; readonly position: number },
  bytes: Uint8Array,
): Promise<void> {
  let written = 0;
  while (written < bytes.byteLength) {
    const rest = written === 0 ? bytes : bytes.subarray(written);
    written += await files.write(at.descriptor, rest, at.position + written);
  }
}

/** Makes the names in a directory durable. */
export async function syncDirectory(files: FileCalls, path: string): Promise<void> {
  if (process.platform === 'win32') return; // Windows opens no directories; NTFS journals names by itself
  const descriptor = await files.open(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  await closing(files, descriptor, () => files.fsync(descriptor));
}

/** Opens a file for the time of `work`, which reads it from its start. */
export async function readFrom<Result>(path: string, work: (readInto: ReadInto) => Promise<Result>): Promise<Result> {
  const descriptor = await open(path, 'r');
  return closing({ close }, descriptor, () =>
    work(async (bytes) => (await read(descriptor, bytes, 0, bytes.byteLength, null)).bytesRead),
  );
}

/** Removes a file; one that is not there is no error. */
export async function remove(files: FileCalls, path: string): Promise<void> {
  try {
    await files.unlink(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

/** Removes a file that only takes up space: if that fails, a later walk over the folder does it. */
export async function removeQuietly(files: FileCalls, path: string): Promise<void> {
  await files.unlink(path).catch(() => undefined);
}

/** Does the work and closes the descriptor, whatever becomes of it. */
export async function closing<Result>(
  files: Pick<FileCalls, 'close'>,
  descriptor: number,
  work: () => Promise<Result>,
): Promise<Result> {
  let result: Result;
  try {
    result = await work();
  } catch (error) {
    await files.close(descriptor).catch(() => undefined); // the first error is the one that tells why
    throw error;
  }
  await files.close(descriptor); // some file systems report a failed write only here
  return result;
}
