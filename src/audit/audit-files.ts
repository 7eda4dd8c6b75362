import { constants } from 'node:fs';
import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorCode } from '../common/errors.js';
import { type ChainEnd, placeOf } from './audit-line.js';

/** More than the longest line that there can be. */
const TAIL_BYTES = 16 * 1024;
const NUMBER_DIGITS = 12;

/** A file that lines are added to. */
export interface AuditFile {
  readonly handle: FileHandle;
  readonly size: number;
  /** Where the chain in it ends; undefined if it is empty, or its last line is none of ours. */
  readonly end: ChainEnd | undefined;
  /** Bytes of a line that was begun and not ended, which are gone now. */
  readonly tornBytes: number;
}

/** Opens the file to which lines are added, or makes it. What is behind `sizeMax`, and a line that does not end, is cut off. */
export async function openAuditFile(path: string, sizeMax: number): Promise<AuditFile> {
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW } = constants;
  const handle = await open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
  try {
    const { size: there } = await handle.stat();
    const kept = Math.min(there, sizeMax);
    const begin = Math.max(0, kept - TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(kept - begin), 0, kept - begin, begin);
    const tail = buffer.subarray(0, bytesRead);
    const whole = tail.subarray(0, tail.lastIndexOf('\n') + 1);
    const size = begin + whole.length;
    if (size < there) await handle.truncate(size);
    if (size === 0) await syncFolder(dirname(path));
    return { handle, size, end: endOf(whole), tornBytes: kept - size };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The end of the chain in a file; undefined if there is none. */
export async function endIn(path: string): Promise<ChainEnd | undefined> {
  const handle = await open(path, constants.O_RDONLY);
  try {
    const { size } = await handle.stat();
    const begin = Math.max(0, size - TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - begin), 0, size - begin, begin);
    return endOf(buffer.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
}

/** The files that were full, the oldest first: each has the number of its last line behind the name. */
export async function fullFiles(path: string): Promise<readonly string[]> {
  const prefix = `${basename(path)}.`;
  const isFull = (name: string): boolean => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length));
  try {
    const names = (await readdir(dirname(path))).filter(isFull);
    const numberOf = (name: string): number => Number(name.slice(prefix.length));
    return names.sort((one, other) => numberOf(one) - numberOf(other)).map((name) => join(dirname(path), name));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Puts a full file aside, and removes the oldest ones if there are more than `filesMax` then. */
export async function putAside(path: string, { n }: ChainEnd, filesMax: number): Promise<void> {
  await rename(path, `${path}.${String(n).padStart(NUMBER_DIGITS, '0')}`);
  const full = await fullFiles(path);
  for (const old of full.slice(0, Math.max(0, full.length - filesMax))) await rm(old, { force: true });
  await syncFolder(dirname(path));
}

function endOf(tail: Buffer): ChainEnd | undefined {
  const lines = tail.toString('utf8').trimEnd().split('\n');
  const place = placeOf(lines.at(-1) ?? '');
  return place === undefined ? undefined : { n: place.n, hash: place.hash };
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
