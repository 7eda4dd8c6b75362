import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client, type FileJson } from '../support/client.js';
import { TestServer } from '../support/server.js';
import { shardCount, eventually } from '../support/shard-files.js';

const MiB = 1024 * 1024;

let server: TestServer;
let client: Client;

beforeAll(async () => {
  server = await TestServer.start({ config: { log_level: 'warn', pack_below: 0, limits: { orphan_grace_ms: 0 } } });
  client = new Client(server.url);
});

afterAll(async () => {
  await server.remove();
});

/** Resident memory of the server, in bytes. */
function rss(): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.process.pid!}/status`, 'utf8'))![1]) * 1024;
}

async function mapWide<In, Out>(items: readonly In[], width: number, map: (item: In) => Promise<Out>): Promise<Out[]> {
  const results: Out[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < items.length) {
        const at = next++;
        results[at] = await map(items[at]!);
      }
    }),
  );
  return results;
}

describe('real files', () => {
  it('the node binary, of about 100 MB', async () => {
    const bytes = await readFile(process.execPath);
    expect(bytes.length).toBeGreaterThan(50 * MiB);
    const file = await client.put('node', bytes);
    expect((await client.bytes(file.id)).equals(bytes)).toBe(true);
    const middle = Math.floor(bytes.length / 2);
    expect(
      (await client.bytes(file.id, { range: `bytes=${middle}-${middle + 99_999}` })).equals(
        bytes.subarray(middle, middle + 100_000),
      ),
    ).toBe(true);
    await client.remove(file.id);
  });

  it('a folder of a thousand small files', async () => {
    const root = join(process.cwd(), 'node_modules', '@nestjs');
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    const paths = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .slice(0, 1000);
    expect(paths).toHaveLength(1000);
    const files = await mapWide(paths, 32, async (path) => client.put(path.slice(root.length + 1), await readFile(path)));
    expect((await client.listAll()).map(({ name }) => name)).toEqual(
      paths.map((path) => path.slice(root.length + 1)).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    );
    await mapWide(files, 32, async ({ id, name }) =>
      expect((await client.bytes(id)).equals(await readFile(join(root, name)))).toBe(true),
    );
    await mapWide(files, 32, async ({ id }) => expect((await client.remove(id)).status).toBe(204));
    expect(await client.listAll()).toEqual([]);
    expect(
      await eventually(
        () => shardCount(server, 4),
        (count) => count === 0,
        10_000,
      ),
    ).toBe(0);
  });

  it('a sparse file of 3 GiB from a generator, in bounded memory', async () => {
    const size = 3 * 1024 * MiB;
    const zeros = Buffer.alloc(MiB);
    const sent = createHash('sha256');
    function* body(): Generator<Buffer, void, undefined> {
      for (let at = 0; at < size; at += MiB) {
        // Every hundredth MiB says where it is; the rest are zeros.
        const chunk = at % (100 * MiB) === 0 ? Buffer.alloc(MiB, `at ${at} `) : zeros;
        sent.update(chunk);
        yield chunk;
      }
    }
    const before = rss();
    let highest = before;
    const sampler = setInterval(() => (highest = Math.max(highest, rss())), 50);
    try {
      const file: FileJson = await client.put('sparse', ReadableStream.from(body()));
      expect(file.size).toBe(size);
      const received = createHash('sha256');
      let bytes = 0;
      for await (const chunk of (await client.get(file.id)).body!) {
        received.update(chunk as Uint8Array);
        bytes += (chunk as Uint8Array).length;
      }
      expect(bytes).toBe(size);
      expect(received.digest('hex')).toBe(sent.digest('hex'));
      await client.remove(file.id);
    } finally {
      clearInterval(sampler);
    }
    expect((highest - before) / MiB).toBeLessThan(150);
  }, 300_000);
});
