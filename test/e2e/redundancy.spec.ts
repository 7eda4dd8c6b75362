import { randomBytes } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Client, type FileJson } from '../support/client.js';
import { TestServer } from '../support/server.js';

let server: TestServer;

afterEach(async () => {
  await server.remove();
});

/** Bodies that end inside, at and behind the edges of slices and segments. */
const BODIES = [0, 1, 10_000, 65_504, 200_000, 1_000_003].map((bytes) => randomBytes(bytes));
const RANGES: readonly (readonly [number, number])[] = [
  [0, 0],
  [65_500, 65_510],
  [150_000, 199_999],
];

function* choices(count: number, size: number, from = 1): Generator<readonly number[], void, undefined> {
  if (size === 0) yield [];
  for (let node = from; size > 0 && node <= count; node += 1)
    for (const rest of choices(count, size - 1, node + 1)) yield [node, ...rest];
}

async function expectAllReadable(client: Client, files: readonly FileJson[]): Promise<void> {
  for (const [at, file] of files.entries()) {
    const body = BODIES[at % BODIES.length]!;
    expect((await client.bytes(file.id)).equals(body)).toBe(true);
    for (const [from, to] of RANGES) {
      if (to >= body.length) continue;
      expect((await client.bytes(file.id, { range: `bytes=${from}-${to}` })).equals(body.subarray(from, to + 1))).toBe(true);
    }
  }
}

async function store(client: Client): Promise<FileJson[]> {
  return Promise.all(BODIES.map((body, at) => client.put(`file ${at}`, body)));
}

/** What must hold while these nodes are away. */
async function expectService(
  client: Client,
  files: FileJson[],
  { up, redundancy }: { up: number; redundancy: number },
): Promise<void> {
  await expectAllReadable(client, files);
  if (up > redundancy) {
    const added = await store(client);
    await expectAllReadable(client, added);
    for (const { id } of added) expect((await client.remove(id)).status).toBe(204);
    return;
  }
  const refused = await client.tryPut('refused', randomBytes(300_000));
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).not.toBeNull();
  expect(await refused.json()).toMatchObject({ code: 'not-enough-nodes' });
  expect(await client.listAll()).toHaveLength(files.length);
}

describe('R means R', () => {
  for (const nodes of [2, 3, 4, 5, 6]) {
    for (let redundancy = 1; redundancy < nodes; redundancy += 1) {
      it(`with ${nodes} nodes every choice of ${redundancy} may be deleted`, async () => {
        server = await TestServer.start({
          config: {
            node_count: nodes,
            redundancy_count: redundancy,
            size_per_slice: 65_536,
            // The same nodes go down again and again, and shall be up at once.
            limits: { probe_interval_ms: 100, node_bytes_free_min: 0, flap_window_ms: 1 },
          },
        });
        const client = new Client(server.url);
        const files = await store(client);
        for (const gone of choices(nodes, redundancy)) {
          for (const node of gone) await rename(server.nodeFolder(node), `${server.nodeFolder(node)}.away`);
          await expectService(client, files, { up: nodes - redundancy, redundancy });
          for (const node of gone) await server.untilNode(node, 'down');
          for (const node of gone) await rename(`${server.nodeFolder(node)}.away`, server.nodeFolder(node));
          for (const node of gone) await server.untilNode(node, 'up');
        }
        // And for good, without a backup to come back from.
        const last = Array.from({ length: redundancy }, (_, at) => nodes - at);
        for (const node of last) await rm(server.nodeFolder(node), { recursive: true, maxRetries: 10, retryDelay: 20 }); // which the server may be writing to
        await expectService(client, files, { up: nodes - redundancy, redundancy });
      });
    }
  }

  it('one node more than R is a clear error, and the files are back when the node is', async () => {
    server = await TestServer.start({ config: { node_count: 2, redundancy_count: 1, limits: { probe_interval_ms: 100 } } });
    const client = new Client(server.url);
    const file = await client.put('x', BODIES[4]!);
    for (const node of [1, 2]) await rename(server.nodeFolder(node), `${server.nodeFolder(node)}.away`);
    const answer = await client.get(file.id);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ code: 'data-unavailable' });
    for (const node of [1, 2]) await rename(`${server.nodeFolder(node)}.away`, server.nodeFolder(node));
    expect((await client.bytes(file.id)).equals(BODIES[4]!)).toBe(true);
  });
});
