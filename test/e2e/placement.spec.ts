import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from '../support/client.js';
import { TestServer } from '../support/server.js';

const FILES = 10_000;
const CLIENTS = 64;

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start({ config: { log_level: 'warn' } });
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

  it('still knows the counts after a restart', async () => {
    const before = await filesByNode();
    const { directory } = server;
    const first = server;
    expect(await server.stop()).toBe(0);
    server = await TestServer.start({ config: { log_level: 'warn' }, directory });
    expect(await filesByNode()).toEqual(before);
    await server.remove();
    server = first;
  });
});
