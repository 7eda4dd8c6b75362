import { stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../../common/errors.js';
import { NodeError } from '../storage-node.js';
import { closing, remove, removeQuietly, writeAll } from './durable-files.js';
import type { FileCalls } from './file-calls.js';
import { asNodeError } from './file-errors.js';
import { PACKS_DIRECTORY } from './pack-names.js';

export interface FolderSpace {
  readonly bytesFree: number;
  readonly bytesTotal: number;
  readonly isWritable: boolean;
}

const PROBE_FILE = 'probe.temp';

/** Tries whether a node's folder can be written now, unless it is only to be read, and how much space it has. */
export async function probeFolder(directory: string, files: FileCalls | undefined): Promise<FolderSpace> {
  if (!(await isDirectory(join(directory, PACKS_DIRECTORY))))
    throw new NodeError('rejected', `its folder is damaged: ${PACKS_DIRECTORY} is missing`);
  const isWritable = files !== undefined && (await canWrite(join(directory, PROBE_FILE), files));
  const { bavail, blocks, bsize } = await statfs(directory);
  return { bytesFree: bavail * bsize, bytesTotal: blocks * bsize, isWritable };
}

/** Writes a small file and removes it; false if there is no space for it. No fsync: under load it would take longer than a probe may. */
async function canWrite(path: string, files: FileCalls): Promise<boolean> {
  try {
    const descriptor = await files.open(path, 'w');
    await closing(files, descriptor, () => writeAll(files, { descriptor, position: 0 }, Buffer.from(PROBE_FILE)));
    await remove(files, path);
    return true;
  } catch (cause) {
    await removeQuietly(files, path);
    const error = asNodeError(cause, 'writing a small file');
    if (error instanceof NodeError && error.kind === 'full') return false;
    throw error;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
