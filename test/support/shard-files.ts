import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Paths of all shard files of a node, in no order; an empty list if its folder is gone. */
export async function shardFiles(nodeFolder: string): Promise<readonly string[]> {
  const shards = join(nodeFolder, 'shards');
  const entries = await readdir(shards, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Shard files on all nodes together. */
export async function shardCount(server: { nodeFolder(number: number): string }, nodes: number): Promise<number> {
  const counts = await Promise.all(
    Array.from({ length: nodes }, async (_, at) => (await shardFiles(server.nodeFolder(at + 1))).length),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Asks until the answer is as expected; the last answer if it never is. */
export async function eventually<Value>(
  ask: () => Promise<Value>,
  accepts: (value: Value) => boolean,
  msMax: number,
): Promise<Value> {
  const deadline = Date.now() + msMax;
  for (;;) {
    const value = await ask();
    if (accepts(value) || Date.now() > deadline) return value;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
