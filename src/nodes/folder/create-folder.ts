import { opendir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorCode } from '../../common/errors.js';
import { NodeError } from '../storage-node.js';
import { syncDirectory } from './durable-files.js';
import type { FileCalls } from './file-calls.js';
import { LOCK_FILE, type FolderLock } from './folder-lock.js';
import { IDENTITY_TEMP_FILE, hasIdentity, writeIdentity, type NodeIdentity } from './node-identity.js';
import { PACKS_DIRECTORY } from './pack-names.js';
import { FAN_OUT, SHARDS_DIRECTORY } from './shard-name.js';

/** The map of the cluster, which the gateway gives to every node, also to one that was emptied. */
export const CLUSTER_MAP_FILE = 'cluster-map.json';

/** What an interrupted creation, or a fresh file system, may have left in a folder that holds nothing yet. */
const HARMLESS = new Set([
  SHARDS_DIRECTORY,
  PACKS_DIRECTORY,
  LOCK_FILE,
  `${LOCK_FILE}-journal`,
  IDENTITY_TEMP_FILE,
  CLUSTER_MAP_FILE,
  `${CLUSTER_MAP_FILE}.temp`,
  'lost+found',
]);

/**
 * Makes the folder of a node that never existed, all of it: later nothing is made anew, so that a folder that vanished is never filled
 * as if nothing had happened. The identity comes last, so a crash leaves a folder that this completes. Leaves the lock held.
 */
export async function createFolder(files: FileCalls, directory: string, identity: NodeIdentity, lock: FolderLock): Promise<void> {
  await makeDirectory(files, directory);
  await syncDirectory(files, dirname(directory));
  // Looked at before the lock is taken, because that puts a file into it, and a folder that is not ours stays as it is.
  if (!(await hasIdentity(directory, identity))) await refuseUsed(directory);
  await lock.hold();
  if (await hasIdentity(directory, identity)) return;
  const shards = join(directory, SHARDS_DIRECTORY);
  await makeDirectory(files, shards);
  for (const name of FAN_OUT) await makeDirectory(files, join(shards, name));
  await syncDirectory(files, shards);
  await makeDirectory(files, join(directory, PACKS_DIRECTORY));
  await writeIdentity(files, directory, identity);
}

async function makeDirectory(files: FileCalls, path: string): Promise<void> {
  try {
    await files.mkdir(path);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
}

async function refuseUsed(directory: string): Promise<void> {
  for await (const entry of await opendir(directory)) {
    if (!HARMLESS.has(entry.name))
      throw new NodeError('rejected', `its folder is not empty and is not a node's: it holds ${JSON.stringify(entry.name)}`);
    if (entry.name === SHARDS_DIRECTORY) await refuseShards(join(directory, SHARDS_DIRECTORY));
    if (entry.name === PACKS_DIRECTORY) await refusePacks(join(directory, PACKS_DIRECTORY));
  }
}

async function refusePacks(packs: string): Promise<void> {
  for await (const entry of await opendir(packs)) {
    throw new NodeError('rejected', `its folder has packs (${JSON.stringify(entry.name)}) but no identity`);
  }
}

/** Shards without an identity are a node that lost it, not a new one. */
async function refuseShards(shards: string): Promise<void> {
  for await (const fanOut of await opendir(shards)) {
    const isOurs = fanOut.isDirectory() && FAN_OUT.includes(fanOut.name);
    for await (const entry of isOurs ? await opendir(join(shards, fanOut.name)) : [fanOut]) {
      throw new NodeError('rejected', `its folder has shards (${JSON.stringify(entry.name)}) but no identity`);
    }
  }
}
