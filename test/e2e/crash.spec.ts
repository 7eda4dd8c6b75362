import { createHash, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Client } from '../support/client.js';
import { TestServer } from '../support/server.js';
import { eventually, shardCount } from '../support/shard-files.js';

/** Of `GET /files/{id}/info`. */
interface Info {
  readonly survives: number;
  readonly layout: { readonly nodes: readonly { readonly shards: number }[] };
}

const CLIENTS = 32;
const CONFIG = { size_per_slice: 65_536, pack_below: 0, log_level: 'warn', limits: { orphan_grace_ms: 0 } };

let server: TestServer;

afterEach(async () => {
  await server.remove();
});

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What a client knows: for each file the digests that it may have, of which there are two while a replace is under way. */
class Journal {
  readonly allowed = new Map<string, readonly string[]>();
  /** Digests of uploads without an answer: such a file may be there, whole, or not. */
  readonly unanswered = new Set<string>();

  constructor(private readonly client: Client) {}

  async upload(name: string, body: Uint8Array): Promise<string> {
    this.unanswered.add(sha256(body));
    const { id } = await this.client.put(name, body);
    this.unanswered.delete(sha256(body));
    this.allowed.set(id, [sha256(body)]);
    return id;
  }

  async replace(id: string, body: Uint8Array): Promise<void> {
    this.allowed.set(id, [...(this.allowed.get(id) ?? []), sha256(body)]);
    const answer = await this.client.replace(id, body);
    if (answer.ok) this.allowed.set(id, [sha256(body)]);
  }
}

/** Uploads and replaces until the server is gone. */
async function work(journal: Journal, worker: number): Promise<void> {
  for (let round = 0; ; round += 1) {
    const id = await journal.upload(`w${worker} r${round}`, randomBytes(1 + ((worker * 7919 + round * 104_729) % 600_000)));
    if (round % 3 === 2) await journal.replace(id, randomBytes(1000));
  }
}

describe('kill -9 in the middle of 32 uploads', () => {
  it.each([150, 400, 800])('loses nothing that was acknowledged and shows nothing else (after %i ms)', async (killAfterMs) => {
    const first = await TestServer.start({ config: CONFIG });
    server = first;
    const journal = new Journal(new Client(first.url));
    const load = Promise.allSettled(Array.from({ length: CLIENTS }, (_, worker) => work(journal, worker)));
    await new Promise((resolve) => setTimeout(resolve, killAfterMs));
    await first.kill();
    await load;
    expect(journal.unanswered.size).toBeGreaterThan(0); // it was in the middle of something

    server = await TestServer.start({ config: CONFIG, directory: first.directory });
    const client = new Client(server.url);
    const listed = await client.listAll();
    const found = new Map<string, string>();
    let shards = 0;
    for (const { id } of listed) {
      found.set(id, sha256(await client.bytes(id)));
      const info = (await (await fetch(`${server.url}/files/${id}/info`)).json()) as Info;
      expect(info.survives).toBe(1);
      shards += info.layout.nodes.reduce((sum, { shards: count }) => sum + count, 0);
    }
    for (const [id, sums] of journal.allowed) expect(sums).toContain(found.get(id));
    for (const [id, sum] of found) if (!journal.allowed.has(id)) expect(journal.unanswered.has(sum)).toBe(true);
    // What was not acknowledged is not only invisible: it is gone from the nodes.
    expect(
      await eventually(
        () => shardCount(server, 4),
        (count) => count === shards,
        15_000,
      ),
    ).toBe(shards);
    await server.kill(); // before its directory goes: it would write its key ring back
    await first.remove();
  });
});
