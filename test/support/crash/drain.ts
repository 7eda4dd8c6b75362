import { setTimeout as sleep } from 'node:timers/promises';
import { mapOrdered } from '../../../src/common/map-ordered.ts';
import { Client } from '../client.ts';
import { bytesUnder } from '../storage-files.ts';
import type { Findings } from './violation.ts';

const WIDTH = 16;
/** A node's identity, locks, and what its packs have beside their content. */
const EMPTY_NODE_BYTES_MAX = 64 * 1024;
/** What each keeps of the disk, for deletions when it is full. */
const BALLAST_BYTES = 1024 * 1024;
const REST_MS_MAX = 60_000;

export interface Drained {
  readonly url: string;
  /** Where each node keeps everything. */
  readonly folders: readonly string[];
  /** Of an open pack, which may stay on each node; 0: there are no packs. */
  readonly packBytesMax: number;
}

/** Deletes all files and waits until the nodes have let go of their bytes. An open pack may stay on each, and no more. */
export async function drain({ url, folders, packBytesMax }: Drained, findings: Findings): Promise<void> {
  const client = new Client(url);
  const files = await client.listAll();
  await Array.fromAsync(
    mapOrdered(files, WIDTH, async ({ id }) => {
      const { status } = await client.remove(id);
      if (status !== 204) findings.report('failed-request', `DELETE ${id} answered ${status}`);
    }),
  );
  const left = await client.listAll();
  for (const { id } of left) findings.report('resurrected', `${id} is listed after all was deleted`);
  const bytesMax = folders.length * (EMPTY_NODE_BYTES_MAX + (packBytesMax > 0 ? packBytesMax + BALLAST_BYTES : 0));
  const deadline = Date.now() + REST_MS_MAX;
  let bytes = await bytesIn(folders);
  while (bytes > bytesMax && Date.now() < deadline) {
    await sleep(200);
    bytes = await bytesIn(folders);
  }
  findings.note('drained', { bytes, bytesMax });
  if (bytes > bytesMax) findings.report('orphans', `${bytes} bytes are on the nodes, of ${bytesMax} at most`);
}

async function bytesIn(folders: readonly string[]): Promise<number> {
  let bytes = 0;
  for (const folder of folders) bytes += await bytesUnder(folder);
  return bytes;
}
