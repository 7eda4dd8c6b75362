import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { errorCode } from '../../common/errors.js';
import { BINARY } from './index-tables.js';

/** Of LMDB's meta pages (data version 2, 64 bit: the first two pages of the file), as far as it is needed here. */
const META = { magicAt: 24, pageSizeAt: 48, lastPageAt: 144, bytes: 168 } as const;
const MAGIC = 0xbeefc0de;
const PAGE_BYTES_MIN = 256;

/** Reads every page that can be reached: the rows of all sub-databases, and the list of free pages. */
const READ_ALL = `
  const [lmdb, path, options] = process.argv.slice(1);
  const environment = require(lmdb).open({ ...JSON.parse(options), path, noSubdir: false, readOnly: true, maxDbs: 32 });
  const names = [...environment.getKeys()].map((key) => Buffer.from(key).toString().replace(/\\0$/, ''));
  for (const name of names) {
    for (const { value } of environment.openDB(name, JSON.parse(options)).getRange()) value.at(-1);
  }
  environment.getStats();
`;

/**
 * Throws if the index lacks pages at its end. LMDB maps its file: reading a page that the file does not have would end this process
 * with SIGBUS, and LMDB aborts at some pages that make no sense. So it is another process that tries, and only if the file is shorter
 * than its meta pages say. That alone is no damage (free pages at the end may never have been written); if all can be read, the file
 * is made as long as it should be and not tried again.
 */
export async function requireWhole(dataFile: string): Promise<void> {
  const file = await openIfThere(dataFile);
  if (file === undefined) return;
  try {
    const { size } = await file.stat();
    // LMDB takes an empty file for a new one.
    if (size === 0) return;
    const needed = await neededBytes(file);
    if (size >= needed) return;
    await requireReadable(dirname(dataFile));
    await file.truncate(needed);
  } finally {
    await file.close();
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r+');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function neededBytes(file: FileHandle): Promise<number> {
  const first = await readMeta(file, 0);
  const pageSize = first.readUInt32LE(META.pageSizeAt);
  if (first.readUInt32LE(META.magicAt) !== MAGIC || pageSize < PAGE_BYTES_MIN) throw new Error('its file is not one of LMDB');
  const second = await readMeta(file, pageSize);
  const lastPage = Math.max(...[first, second].map((meta) => Number(meta.readBigUInt64LE(META.lastPageAt))));
  const needed = (lastPage + 1) * pageSize;
  if (!Number.isSafeInteger(needed)) throw new Error('its first pages are damaged');
  return needed;
}

async function readMeta(file: FileHandle, position: number): Promise<Buffer> {
  const meta = Buffer.alloc(META.bytes);
  await file.read(meta, 0, META.bytes, position);
  return meta;
}

async function requireReadable(directory: string): Promise<void> {
  const lmdb = createRequire(import.meta.url).resolve('lmdb');
  try {
    await promisify(execFile)(process.execPath, ['-e', READ_ALL, lmdb, directory, JSON.stringify(BINARY)]);
  } catch (cause) {
    throw new Error('its file was cut short or is damaged', { cause });
  }
}
