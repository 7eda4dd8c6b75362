import { randomBytes } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from '../support/client.js';
import { TestServer } from '../support/server.js';

const FILES = 10_000;
const CLIENTS = 64;

/** Even counts are promised while all nodes are up and none is late, whatever else this machine does. */
const PATIENT = { write_slow_ms_min: 10_000, probe_interval_ms: 400, probe_ms_max: 1200 };
const CONFIG = { log_level: 'warn', limits: PATIENT };

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start({ config: CONFIG });
});

afterAll(async () => {
  await server.remove();
});

async function filesByNode(): Promise<readonly number[]> {
  const { nodes } = (await (await fetch(`${server.url}/nodes`)).json()) as { nodes: { files: number }[] };
  return nodes.map(({ files }) => files);
}

describe('the load balancer', () => {
  it('spreads 10,000 small files from 64 clients evenly over 4 nodes', async () => {
    const client = new Client(server.url);
    let left = FILES;
    await Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        while (left-- > 0) await client.put(`f${left}`, randomBytes(left % 4096));
      }),
    );
    const counts = await filesByNode();
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(2 * FILES);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2);
  }, 180_000);

  it('still knows the counts after a restart: a node that was away is filled first', async () => {
    const { directory } = server;
    const first = server;
    await rename(server.nodeFolder(4), `${server.nodeFolder(4)}.away`);
    await server.untilNode(4, 'down');
    const client = new Client(server.url);
    for (let file = 0; file < 30; file += 1) await client.put(`without node 4, ${file}`, 'x');
    const before = await filesByNode();
    expect(await server.stop()).toBe(0);
    await rename(`${server.nodeFolder(4)}.away`, server.nodeFolder(4));
    server = await TestServer.start({ config: CONFIG, directory });
    expect(await filesByNode()).toEqual(before);
    const again = new Client(server.url);
    for (let file = 0; file < 10; file += 1) await again.put(`with node 4, ${file}`, 'x');
    expect((await filesByNode())[3]! - before[3]!).toBe(10);
    await server.remove();
    server = first;
  });
});
