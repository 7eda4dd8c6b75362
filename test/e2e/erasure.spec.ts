import { randomBytes } from 'node:crypto';
import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Client, type FileJson } from '../support/client.js';
import { choices } from '../support/erasure.js';
import { PeerCluster } from '../support/peer-cluster.js';
import { runCli } from '../support/run-cli.js';
import { TestServer } from '../support/server.js';
import { eventually, shardFiles } from '../support/shard-files.js';
import { lastingFilesUnder, shardPaths, shardsOf } from '../support/storage-files.js';

const SLICE = 65_536;
/** Plaintext of one sealed segment: a slice of SLICE bytes holds exactly one. */
const PLAIN = 65_504;
const CONFIG = {
  node_count: 5,
  redundancy_count: 2,
  redundancy_scheme: 'erasure',
  size_per_slice: SLICE,
  limits: { probe_interval_ms: 100, node_bytes_free_min: 0, orphan_grace_ms: 0 },
};

/** Around what rides in a record, one slice, three (a stripe), six, and a short last stripe of one, two and three slices. */
const SIZES = [
  ...[0, 1, 16_352, 16_353, PLAIN - 1, PLAIN, PLAIN + 1, 2 * PLAIN, 3 * PLAIN - 1, 3 * PLAIN, 3 * PLAIN + 1],
  ...[4 * PLAIN, 5 * PLAIN + 17, 6 * PLAIN, 6 * PLAIN + 1, 1_000_003],
];
const BODIES = SIZES.map((bytes) => randomBytes(bytes));
const RANGES: readonly (readonly [number, number])[] = [
  [0, 0],
  [PLAIN - 3, PLAIN + 3],
  [3 * PLAIN - 1, 3 * PLAIN],
  [150_000, 399_999],
];

interface Layout {
  readonly scheme: string;
  readonly k: number;
  readonly m: number;
  readonly sealedSize: number;
  readonly sizePerSlice: number;
  readonly stripes: number;
  readonly nodes: readonly { readonly node: number; readonly shards: number; readonly bytes: number }[];
  readonly places: readonly { readonly nodes: readonly number[] }[];
}

interface Info {
  readonly survives: number;
  readonly layout: Layout;
}

let server: TestServer;
const used: TestServer[] = [];

afterEach(async () => {
  for (const one of used.splice(0)) await one.remove();
});

async function start(config: Readonly<Record<string, unknown>> = CONFIG, directory?: string): Promise<Client> {
  server = await TestServer.start({ config, ...(directory === undefined ? {} : { directory }) });
  used.unshift(server);
  return new Client(server.url);
}

async function info({ id }: FileJson): Promise<Info> {
  return (await (await fetch(`${server.url}/files/${id}/info`)).json()) as Info;
}

async function storeAll(client: Client): Promise<FileJson[]> {
  return Promise.all(BODIES.map((body, at) => client.put(`file ${at}`, body)));
}

async function expectFile(client: Client, file: FileJson, body: Buffer): Promise<void> {
  expect((await client.bytes(file.id)).equals(body)).toBe(true);
  for (const [from, to] of RANGES) {
    if (to >= body.length) continue;
    expect((await client.bytes(file.id, { range: `bytes=${from}-${to}` })).equals(body.subarray(from, to + 1))).toBe(true);
  }
}

async function expectAll(client: Client, files: readonly FileJson[]): Promise<void> {
  await Promise.all(files.map((file, at) => expectFile(client, file, BODIES[at]!)));
}

async function without(nodes: readonly number[], work: () => Promise<void>): Promise<void> {
  for (const node of nodes) await rename(server.nodeFolder(node), `${server.nodeFolder(node)}.away`);
  await work();
  for (const node of nodes) await rename(`${server.nodeFolder(node)}.away`, server.nodeFolder(node));
  for (const node of nodes) await server.untilNode(node, 'up', 10_000);
}

async function sizeOf(paths: readonly string[]): Promise<number> {
  const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

function sealed(bytes: number): number {
  return bytes + 32 * Math.max(1, Math.ceil(bytes / PLAIN));
}

describe('erasure coding on five nodes with R = 2', () => {
  it('keeps every file readable, whole and in ranges, without any two nodes', async () => {
    const client = await start();
    const files = await storeAll(client);
    for (const pair of choices(5, 2)) {
      const gone = pair.map((at) => at + 1);
      await without(gone, async () => {
        await expectAll(client, files);
        for (const node of gone) await server.untilNode(node, 'down', 10_000);
        // Three nodes are left: too few for a code that survives two losses, and enough for copies.
        const added = await client.put('added', BODIES[10]!);
        expect((await info(added)).layout).toMatchObject({ scheme: 'replicate', k: 1, m: 2 });
        expect((await client.remove(added.id)).status).toBe(204);
      });
    }
    expect(await client.listAll()).toHaveLength(files.length);
  });

  it('tells the shape, takes about (k + m) / k of the space, and reads ranges from the data slices alone', async () => {
    const client = await start();
    const body = randomBytes(5_000_000);
    const file = await client.put('large', body);
    const { survives, layout } = await info(file);
    expect([survives, layout]).toMatchObject([
      2,
      { scheme: 'erasure', k: 3, m: 2, sizePerSlice: SLICE, sealedSize: sealed(body.length) },
    ]);
    expect(layout.stripes).toBe(Math.ceil(sealed(body.length) / SLICE / 3));
    for (const { nodes } of layout.places) expect(new Set(nodes).size).toBe(5);
    // Parity takes turns on the nodes, so that all of them serve reads.
    const parity = layout.places.flatMap(({ nodes }) => nodes.slice(3));
    for (const node of [1, 2, 3, 4, 5]) expect(parity.filter((at) => at === node).length).toBeGreaterThan(layout.stripes / 5);
    const onNodes = (await lastingFilesUnder(server.storage)).filter((path) => /\/node_\d+\//.test(path));
    const ratio = (await sizeOf(onNodes)) / body.length;
    expect(ratio).toBeGreaterThan(5 / 3);
    expect(ratio).toBeLessThan(1.1 * (5 / 3));
    // All of the parity is taken away: nobody notices while the data is there.
    const shards = await shardsOf(server.storage, file.versionId);
    for (const { path, index } of shards) if (index >= 3) await rm(path);
    await expectFile(client, file, body);
    expect(server.logs()).not.toContain('a shard is not as it was put');
  });

  it('cuts a body of at most one stripe evenly, so that it takes no more space than a large one', async () => {
    const client = await start();
    const file = await client.put('small', randomBytes(PLAIN + 1));
    const { layout } = await info(file);
    const even = Math.ceil(sealed(PLAIN + 1) / 3);
    expect(layout).toMatchObject({ scheme: 'erasure', k: 3, m: 2, sizePerSlice: even, stripes: 1 });
    expect(layout.nodes.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(sealed(PLAIN + 1) + 2 * even);
  });

  it('replaces and deletes, and leaves nothing on the nodes', async () => {
    const client = await start();
    const files = await storeAll(client);
    for (const [at, { id }] of files.entries()) {
      const next = BODIES[(at + 7) % BODIES.length]!;
      expect((await client.replace(id, next)).status).toBe(200);
      expect((await client.bytes(id)).equals(next)).toBe(true);
    }
    for (const { id } of files) expect((await client.remove(id)).status).toBe(204);
    const left = async (): Promise<number> => (await shardPaths(server.storage)).length;
    expect(await eventually(left, (shards) => shards === 0, 20_000)).toBe(0);
    const { nodes } = (await (await fetch(`${server.url}/nodes`)).json()) as { nodes: { files: number }[] };
    expect(nodes.map(({ files: count }) => count)).toEqual([0, 0, 0, 0, 0]);
  });

  it('needs k + m nodes to the end: a node that is lost in the middle is made up for by a spare one', async () => {
    // Six nodes, of which a stripe takes five.
    const client = await start({ ...CONFIG, node_count: 6, limits: { ...CONFIG.limits, stripe_data_slices_max: 3 } });
    const body = randomBytes(8_000_000);
    const half = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(body.subarray(0, 4_000_000));
        await eventually(
          () => shardFiles(server.nodeFolder(2)),
          (paths) => paths.length > 0,
          20_000,
        );
        await rename(server.nodeFolder(2), `${server.nodeFolder(2)}.away`);
        controller.enqueue(body.subarray(4_000_000));
        controller.close();
      },
    });
    const file = await client.put('half', half);
    expect((await info(file)).layout).toMatchObject({ k: 3, m: 2 });
    await rename(server.nodeFolder(5), `${server.nodeFolder(5)}.away`);
    await expectFile(client, file, body);
  });
});

describe('repair', () => {
  it('makes up for two nodes that are lost at once, after which two others may go', async () => {
    const limits = { ...CONFIG.limits, stripe_data_slices_max: 3 };
    const client = await start({ ...CONFIG, node_count: 7, repair_after: 0, limits });
    const files = await storeAll(client);
    for (const node of [1, 6]) await rm(server.nodeFolder(node), { recursive: true, maxRetries: 10, retryDelay: 20 });
    const weakest = async (): Promise<number> =>
      Math.min(...(await Promise.all(files.map(info))).map(({ survives }) => survives));
    for (const node of [1, 6]) await server.untilNode(node, 'down', 10_000);
    expect(await eventually(weakest, (survives) => survives === 2, 60_000)).toBe(2);
    for (const node of [2, 3]) await rename(server.nodeFolder(node), `${server.nodeFolder(node)}.away`);
    await expectAll(client, files);
  });
});

describe('peers', () => {
  it('keep coded files readable when one of them is killed and one frozen', async () => {
    const { redundancy_scheme, size_per_slice } = CONFIG;
    const cluster = await PeerCluster.start({ nodes: 4, redundancy: 2, config: { redundancy_scheme, size_per_slice } });
    try {
      const client = new Client(cluster.url(2));
      const files = await storeAll(client);
      const answer = await fetch(`${cluster.url(1)}/files/${files.at(-1)!.id}/info`);
      expect(((await answer.json()) as Info).layout).toMatchObject({ scheme: 'erasure', k: 2, m: 2 });
      await cluster.kill(3);
      cluster.freeze(4);
      await expectAll(client, files);
    } finally {
      await cluster.remove();
    }
  });
});

describe('a store that was replicated', () => {
  it('takes coded files beside the old ones, after which both are rebuilt, verified and lose two nodes', async () => {
    let client = await start({ ...CONFIG, redundancy_scheme: 'replicate' });
    const old = await storeAll(client);
    expect((await info(old.at(-1)!)).layout).toMatchObject({ scheme: 'replicate', k: 1, m: 2 });
    await server.stop();
    client = await start(CONFIG, server.directory);
    const files = [...old, ...(await storeAll(client))];
    expect((await info(files.at(-1)!)).layout).toMatchObject({ scheme: 'erasure', k: 3, m: 2 });
    const before = await Promise.all(files.map(info));
    await server.stop();
    const clean = await runCli(['verify', '--config', server.configFile], { msMax: 60_000 });
    expect([clean.code, clean.stdout]).toEqual([0, expect.stringContaining('all is as it should be')]);
    await rm(join(server.storage, 'index'), { recursive: true });
    for (const node of [2, 4]) await rm(server.nodeFolder(node), { recursive: true });
    const rebuilt = await runCli(['rebuild-index', '--config', server.configFile], { msMax: 60_000 });
    expect([rebuilt.code, rebuilt.stdout]).toEqual([0, expect.stringContaining(`${files.length} files`)]);
    client = await start({ ...CONFIG, redundancy_scheme: 'auto' }, server.directory);
    expect((await Promise.all(files.map(info))).map(({ layout }) => layout)).toEqual(before.map(({ layout }) => layout));
    for (const half of [files.slice(0, old.length), files.slice(old.length)]) await expectAll(client, half);
  });
});

describe('redundancy_scheme "auto"', () => {
  it('replicates what is small and codes what is large, whether the length is announced or not', async () => {
    const client = await start({
      ...CONFIG,
      redundancy_scheme: 'auto',
      limits: { ...CONFIG.limits, auto_replicated_bytes_max: 500_000 },
    });
    const schemes: [number, string][] = [
      [100_000, 'replicate'],
      [490_000, 'replicate'],
      [510_000, 'erasure'],
      [2_000_000, 'erasure'],
    ];
    for (const [bytes, scheme] of schemes) {
      const body = randomBytes(bytes);
      const whole = await client.put('whole', body);
      const streamed = await client.put('streamed', new Blob([body]).stream());
      for (const file of [whole, streamed]) {
        expect([bytes, (await info(file)).layout.scheme]).toEqual([bytes, scheme]);
        await expectFile(client, file, body);
      }
    }
  });
});
