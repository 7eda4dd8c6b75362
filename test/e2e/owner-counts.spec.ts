import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { STORE_OWNER, type ClusterId } from '../../src/common/ids.js';
import { LmdbMetadataStore } from '../../src/metadata/embedded/lmdb.metadata-store.js';
import type { NodeUsage } from '../../src/metadata/metadata-store.js';
import { Client } from '../support/client.js';
import { collect, NEVER } from '../support/metadata-fixtures.js';
import { TestServer } from '../support/server.js';

const CONFIG = { log_level: 'warn' };
const WORKERS = 16;

/** Puts, replaces and deletes files of many sizes until the server is gone. */
async function work(client: Client, worker: number): Promise<never> {
  for (let round = 1; ; round += 1) {
    const size = 1 + ((worker * 7919 + round * 104_729) % 5000);
    const { id } = await client.put(`w${worker} r${round}`, Buffer.alloc(size, round));
    if (round % 3 === 1) await client.replace(id, Buffer.alloc(2 * size));
    if (round % 3 === 2) await client.remove(id);
  }
}

/** What is counted with each change, and the same added up from all files that there are. */
async function countsOf(
  storage: string,
): Promise<{ readonly counted: unknown; readonly added: unknown; readonly files: number }> {
  const { clusterId } = JSON.parse(await readFile(join(storage, 'cluster.json'), 'utf8')) as { clusterId: ClusterId };
  const index = await LmdbMetadataStore.open({ directory: join(storage, 'index'), clusterId, mayCreate: false });
  try {
    const all = await collect(index.files(NEVER));
    const own = all.filter(({ file }) => file.owner === STORE_OWNER);
    const bytes = own.reduce((sum, { file }) => sum + file.size, 0);
    const nodes = new Map<number, NodeUsage>();
    for (const { node, ...part } of all.flatMap(({ manifest }) => manifest.usage)) {
      const before = nodes.get(node) ?? { shards: 0, bytes: 0 };
      nodes.set(node, { node, shards: before.shards + part.shards, bytes: before.bytes + part.bytes });
    }
    const byNode = (usage: Iterable<NodeUsage>): NodeUsage[] => [...usage].sort((left, right) => left.node - right.node);
    return {
      counted: { owner: await index.usageOf(STORE_OWNER, NEVER), nodes: byNode(await index.usage(NEVER)) },
      added: { owner: { files: own.length, bytes }, nodes: byNode(nodes.values()) },
      files: own.length,
    };
  } finally {
    await index.close();
  }
}

describe('kill -9 in the middle of puts, replaces and deletions', () => {
  it('leaves what is counted of owners and nodes as what there is, each time', async () => {
    let server: TestServer | undefined;
    const directory = await mkdtemp(join(tmpdir(), 'dcloud-counts-'));
    try {
      let before = 0;
      for (const killAfterMs of [300, 500, 800]) {
        server = await TestServer.start({ config: CONFIG, directory });
        const client = new Client(server.url);
        const load = Promise.allSettled(Array.from({ length: WORKERS }, (_, worker) => work(client, worker)));
        await new Promise((resolve) => setTimeout(resolve, killAfterMs));
        await server.kill();
        await load;
        const { counted, added, files } = await countsOf(server.storage);
        expect(counted).toEqual(added);
        expect(files).toBeGreaterThan(before);
        before = files;
      }
    } finally {
      await server?.kill();
      await rm(directory, { recursive: true, force: true });
    }
  });
});
