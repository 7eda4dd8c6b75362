import { createHash, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Client } from '../support/client.js';
import { TestServer } from '../support/server.js';
import { eventually, shardCount } from '../support/shard-files.js';

const CLIENTS = 32;
const CONFIG = { size_per_slice: 65_536, log_level: 'warn' };

let server: TestServer;
let directory: string | undefined;

afterEach(async () => {
  await server.remove();
});

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

describe('kill -9 in the middle of 32 uploads', () => {
  it.each([150, 400, 800])('loses nothing that was acknowledged and shows nothing else (after %i ms)', async (killAfterMs) => {
    const first = await TestServer.start({ config: CONFIG });
    server = first;
    ({ directory } = first);
    const client = new Client(first.url);
    const acknowledged = new Map<string, string>();
    const sent = new Set<string>();
    let isKilled = false;
    const workers = Array.from({ length: CLIENTS }, async (_, worker) => {
      for (let round = 0; !isKilled; round += 1) {
        const body = randomBytes(1 + ((worker * 7919 + round * 104_729) % 600_000));
        const sum = sha256(body);
        sent.add(sum);
        try {
          const { id } = await client.put(`w${worker} r${round}`, body);
          acknowledged.set(id, sum);
          if (round % 3 === 2) {
            const other = randomBytes(1000);
            sent.add(sha256(other));
            const replaced = await client.replace(id, other);
            if (replaced.ok) acknowledged.set(id, sha256(other));
          }
        } catch {
          if (!isKilled) throw new Error('an upload failed before the server was killed'); // after that nothing else can be expected
        }
      }
    });
    const load = Promise.allSettled(workers);
    await new Promise((resolve) => setTimeout(resolve, killAfterMs));
    isKilled = true;
    await first.kill();
    await load;

    server = await TestServer.start({ config: CONFIG, directory });
    const after = new Client(server.url);
    const listed = await after.listAll();
    const ids = new Set(listed.map(({ id }) => id));
    for (const [id] of acknowledged) expect(ids.has(id)).toBe(true);
    let shards = 0;
    for (const { id } of listed) {
      const sum = sha256(await after.bytes(id));
      expect(sent.has(sum)).toBe(true); // whole: either version, if a replace was under way
      const info = (await (await fetch(`${server.url}/files/${id}/info`)).json()) as {
        survives: number;
        layout: { nodes: { shards: number }[] };
      };
      expect(info.survives).toBe(1);
      shards += info.layout.nodes.reduce((sum2, { shards: count }) => sum2 + count, 0);
    }
    // What was not acknowledged is not only invisible: it is gone from the nodes.
    expect(
      await eventually(
        () => shardCount(server, 4),
        (count) => count === shards,
        15_000,
      ),
    ).toBe(shards);
    await first.remove();
  });
});
