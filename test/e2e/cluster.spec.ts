import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { BackgroundLoad } from '../support/background-load.js';
import { someBytes } from '../support/bytes.js';
import { Client } from '../support/client.js';
import { form, FORM_HEADERS } from '../support/multipart.js';
import { PeerCluster } from '../support/peer-cluster.js';
import { exchange, responseOf } from '../support/raw-http.js';

const MiB = 1024 * 1024;
/** As slow to doubt a node as may be: the tests' machine has more to do than these processes. */
const PATIENT = { limits: { probe_interval_ms: 400, probe_ms_max: 1200 } };
/** All bodies pass the gateway; what goes past it is in delegated-reads.spec.ts and delegated-stores.spec.ts. */
const PASSING = { limits: { ...PATIENT.limits, delegate_bytes_min: 0 } };
const LOAD = { clients: 3, filesMax: 40, largeBytesMax: 300_000 };

interface NodesJson {
  readonly nodes: readonly {
    readonly node: number;
    readonly state: string;
    readonly peer: string;
    readonly disagreement?: string;
  }[];
  readonly gateway: number;
  readonly servedBy: number;
}

async function nodesAt(url: string): Promise<NodesJson> {
  return (await (await fetch(`${url}/nodes`)).json()) as NodesJson;
}

async function problemCode(answer: Response): Promise<string> {
  return ((await answer.json()) as { code: string }).code;
}

describe('a cluster of peers', () => {
  let cluster: PeerCluster;

  beforeAll(async () => {
    cluster = await PeerCluster.start({ nodes: 3, redundancy: 1, config: PASSING });
  });

  afterAll(() => cluster.remove());

  it('answers every client at every peer', async () => {
    for (const i of [1, 2, 3]) {
      const client = new Client(cluster.url(i));
      const bytes = someBytes(300_000 + i);
      const file = await client.put(`from ${i}`, bytes);
      for (const j of [1, 2, 3]) expect((await new Client(cluster.url(j)).bytes(file.id)).equals(bytes)).toBe(true);
      expect((await client.list()).items.map(({ id }) => id)).toContain(file.id);
      expect((await client.remove(file.id)).status).toBe(204);
      expect((await client.get(file.id)).status).toBe(404);
    }
  });

  it('passes on what HTTP has: ranges, conditions, HEAD, forms, ids of requests, what has no body', async () => {
    const client = new Client(cluster.url(2));
    const answer = await client.tryPut('a', someBytes(50_000), { 'x-request-id': 'mine-1' });
    const { id, etag } = (await answer.json()) as { id: string; etag: string };
    expect([answer.status, answer.headers.get('location'), answer.headers.get('x-request-id')]).toEqual([
      201,
      `/files/${id}`,
      'mine-1',
    ]);
    const part = await client.get(id, { range: 'bytes=10-19' });
    expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 10-19/50000']);
    expect(Buffer.from(await part.arrayBuffer()).equals(someBytes(50_000).subarray(10, 20))).toBe(true);
    expect((await client.get(id, { 'if-none-match': etag })).status).toBe(304);
    const head = await fetch(`${cluster.url(2)}/files/${id}`, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '50000', '']);
    expect((await client.replace(id, 'x', { 'if-match': '"other"' })).status).toBe(412);
    expect((await client.replace(id, 'new', { 'if-match': etag })).status).toBe(200);
    const body = form({ disposition: 'name="file"; filename="f.txt"', body: 'of a form' });
    const formed = await fetch(`${cluster.url(3)}/files`, { method: 'PUT', headers: FORM_HEADERS, body });
    const { id: ofForm, name } = (await formed.json()) as { id: string; name: string };
    expect([name, (await client.bytes(ofForm)).toString()]).toEqual(['f.txt', 'of a form']);
    expect((await client.put('nothing', '')).size).toBe(0);
    expect((await fetch(`${cluster.url(2)}/nowhere`)).status).toBe(404);
    expect((await fetch(`${cluster.url(2)}/openapi.json`)).status).toBe(200);
    expect(await (await fetch(`${cluster.url(2)}/metrics`)).text()).toContain('dcloud_gateway_reachable 1');
  });

  it('lets the gateway answer a client that asks before it sends', async () => {
    const { id } = await new Client(cluster.url(1)).put('asked', 'old');
    const ask = async (match: string): Promise<{ readonly status: number; readonly wasInvited: boolean }> => {
      const asking = request(`${cluster.url(2)}/files/${id}`, {
        method: 'PUT',
        headers: { expect: '100-continue', 'content-length': 3, 'if-match': match },
      });
      let wasInvited = false;
      asking.on('continue', () => {
        wasInvited = true;
        asking.end('new');
      });
      asking.flushHeaders();
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      asking.on('response', (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      });
      asking.on('error', reject);
      const status = await promise;
      asking.destroy();
      return { status, wasInvited };
    };
    expect(await ask('"other"')).toEqual({ status: 412, wasInvited: false });
    expect(await ask('*')).toEqual({ status: 200, wasInvited: true });
  });

  it('stores nothing of a client that leaves in the middle', async () => {
    const before = (await new Client(cluster.url(1)).listAll()).length;
    async function* half(): AsyncGenerator<Uint8Array, void, undefined> {
      yield someBytes(100_000);
      await sleep(100);
      throw new Error('the client leaves');
    }
    await expect(new Client(cluster.url(3)).tryPut('half', ReadableStream.from(half()))).rejects.toThrow();
    await sleep(300);
    expect((await new Client(cluster.url(1)).listAll()).length).toBe(before);
  });

  it('streams through a peer, which holds little of it', async () => {
    const piece = someBytes(MiB);
    const pieces = 64;
    async function* body(): AsyncGenerator<Uint8Array, void, undefined> {
      for (let at = 0; at < pieces; at += 1) yield piece;
      await Promise.resolve();
    }
    const client = new Client(cluster.url(2));
    const before = await memoryOf(cluster.process(2).pid);
    const { id, size } = await client.put('large', ReadableStream.from(body()));
    expect(size).toBe(pieces * MiB);
    const [seen, expected] = [createHash('sha256'), createHash('sha256')];
    for await (const chunk of (await client.get(id)).body! as AsyncIterable<Uint8Array>) seen.update(chunk);
    for (let at = 0; at < pieces; at += 1) expected.update(piece);
    expect(seen.digest('hex')).toBe(expected.digest('hex'));
    // Twice that went through it; its own node takes shards as well. The exact bound is a matter of forwarder.spec.ts.
    expect((await memoryOf(cluster.process(2).pid)) - before).toBeLessThan(2 * pieces * MiB);
    await client.remove(id);
  });

  it('says where the index is, and who took the request', async () => {
    const { nodes, gateway, servedBy } = await nodesAt(cluster.url(3));
    expect([gateway, servedBy]).toEqual([1, 3]);
    expect(nodes.map(({ peer }) => peer)).toEqual([1, 2, 3].map((i) => cluster.url(i)));
    expect((await nodesAt(cluster.url(1))).servedBy).toBe(1);
  });

  it('tells nothing to who cannot prove itself, and takes no false word for it that a request was passed on', async () => {
    for (const i of [1, 2]) {
      for (const path of ['/peer/v2/hello', '/peer/v2/put', '/peer', '/peer/x']) {
        const answer = await fetch(`${cluster.url(i)}${path}`, { method: 'POST', body: 'x' });
        expect([answer.status, await answer.text()]).toEqual([401, '']);
      }
    }
    const forged = { 'x-dcloud-forwarded': `3.${Date.now()}.${'0'.repeat(32)}.${'A'.repeat(43)}` };
    const { servedBy } = (await (await fetch(`${cluster.url(2)}/nodes`, { headers: forged })).json()) as NodesJson;
    expect(servedBy).toBe(2);
    // The client API has no way around it either.
    const odd = responseOf(
      await exchange(cluster.url(2), 'POST //peer/v2/hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'),
    );
    expect(odd.status).toBe(404);
  });

  it('answers within about three seconds for a gateway that is frozen, and does nothing twice', async () => {
    const direct = new Client(cluster.url(1));
    const [kept, removed] = [await direct.put('kept', 'x'), await direct.put('removed', 'y')];
    const large = await direct.put('large', someBytes(24 * MiB));
    const peer = new Client(cluster.url(2));
    const download = await peer.get(large.id);
    const reading = download.body!.getReader();
    await reading.read();
    cluster.freeze(1);
    const began = performance.now();
    const asked = async (path: string, init: RequestInit): Promise<readonly [number, string | undefined, number]> => {
      const answer = await fetch(`${cluster.url(2)}${path}`, init);
      const text = await answer.text();
      const code = text === '' ? undefined : (JSON.parse(text) as { code: string }).code;
      return [answer.status, code, performance.now() - began];
    };
    async function* endless(): AsyncGenerator<Uint8Array, void, undefined> {
      for (;;) {
        yield someBytes(MiB);
        await sleep(20);
      }
    }
    const answers = await Promise.all([
      asked(`/files/${kept.id}`, {}),
      asked('/files?name=once', { method: 'PUT', body: 'z', headers: { 'Content-Type': 'application/octet-stream' } }),
      asked(`/files/${removed.id}`, { method: 'DELETE' }),
      asked('/files?name=never', {
        method: 'PUT',
        body: ReadableStream.from(endless()),
        duplex: 'half',
        headers: { 'Content-Type': 'application/octet-stream' },
      }),
    ]);
    expect(answers.map(([status, code]) => [status, code])).toEqual([
      [503, 'gateway-unavailable'],
      [502, 'gateway-lost'],
      [502, 'gateway-lost'],
      [502, 'gateway-lost'],
    ]);
    // Two probes, and for what is in the middle of a body a second in which nothing moves.
    const seconds = answers.map(([, , ms]) => ms / 1000);
    expect(Math.max(...seconds.slice(0, 3))).toBeLessThan(4.5);
    expect(seconds[3]).toBeLessThan(5.5);
    // What had begun to come breaks off, and does not look whole.
    await expect(
      (async () => {
        while (!(await reading.read()).done);
      })(),
    ).rejects.toThrow();
    expect((await asked('/files/list', {})).slice(0, 2)).toEqual([503, 'gateway-unavailable']);
    cluster.thaw(1);
    await cluster.untilReady(2);
    const names = (await peer.listAll()).map(({ name }) => name);
    // It may have been done once, when the process went on; what had only half of its body was not.
    expect(names.filter((name) => name === 'once').length).toBeLessThanOrEqual(1);
    expect(names).not.toContain('never');
    expect((await peer.bytes(kept.id)).toString()).toBe('x');
    expect([200, 404]).toContain((await peer.get(removed.id)).status);
  });

  it('refuses a takeover from a gateway that is well', async () => {
    const { code, output } = await cluster.cli(['takeover', '--config', cluster.configFile(2), '--node', '2']);
    expect([code, output]).toEqual([78, expect.stringMatching(/takeover-refused.*node 1 holds the index and answers.*--force/)]);
    expect((await nodesAt(cluster.url(2))).gateway).toBe(1);
  });

  it('names a peer that has another configuration, and goes on', async () => {
    await cluster.stop(3);
    await cluster.configure(3, { redundancy_count: 2 });
    await cluster.restart(3);
    await cluster.untilNode(3, 'up');
    const told = await eventually(async () => (await nodesAt(cluster.url(1))).nodes[2]?.disagreement);
    expect(told).toBe('redundancy_count is 2 there and 1 here');
    expect(cluster.logs(1)).toContain('a peer disagrees');
    await new Client(cluster.url(3)).put('still', 'stored');
    await cluster.stop(3);
    await cluster.configure(3);
    await cluster.restart(3);
    await cluster.untilNode(3, 'up');
    expect(
      await eventually(async () => (await nodesAt(cluster.url(1))).nodes.every((node) => node.disagreement === undefined)),
    ).toBe(true);
  });

  it('has its index made anew and is verified while the gateway does not run and the peers do', async () => {
    const { id } = await new Client(cluster.url(2)).put('kept', someBytes(70_000));
    const as = ['--config', cluster.configFile(1), '--node', '1'];
    expect((await cluster.cli(['verify', ...as])).output).toMatch(/storage-locked/);
    await cluster.stop(1);
    expect(await cluster.cli(['verify', ...as])).toEqual({ code: 0, output: expect.stringContaining('all is as it should be') });
    const rebuilt = await cluster.cli(['rebuild-index', ...as]);
    expect(rebuilt).toEqual({ code: 0, output: expect.stringMatching(/node 3: \d+ records\n.*the index is made anew/s) });
    const unready = await new Client(cluster.url(2)).get(id);
    expect([unready.status, unready.headers.get('retry-after'), await problemCode(unready)]).toEqual([
      503,
      '2',
      'gateway-unavailable',
    ]);
    await cluster.restart(1);
    await cluster.untilReady(2);
    expect((await new Client(cluster.url(2)).bytes(id)).equals(someBytes(70_000))).toBe(true);
  });
});

describe('peers of one storage directory', () => {
  let cluster: PeerCluster;

  beforeAll(async () => {
    cluster = await PeerCluster.start({ nodes: 4, redundancy: 1, shared: true, order: [4, 2], config: PATIENT });
  });

  afterAll(() => cluster.remove());

  it('start in any order: without the gateway they say so, and it begins with as many as a file needs', async () => {
    const early = await new Client(cluster.url(4)).tryPut('early', 'x');
    expect([early.status, early.headers.get('retry-after'), await problemCode(early)]).toEqual([503, '2', 'gateway-unavailable']);
    expect((await fetch(`${cluster.url(4)}/health/live`)).status).toBe(200);
    expect((await fetch(`${cluster.url(4)}/health/ready`)).status).toBe(503);
    await cluster.restart(1);
    await cluster.untilReady(4);
    const { id } = await new Client(cluster.url(4)).put('with three of four', 'stored');
    expect((await nodesAt(cluster.url(2))).nodes[2]?.state).toBe('down');
    await cluster.restart(3);
    await cluster.untilNode(3, 'up');
    await cluster.untilReady(3);
    expect((await new Client(cluster.url(3)).bytes(id)).toString()).toBe('stored');
    await new Client(cluster.url(3)).remove(id);
  });

  it('lose nothing when one of them is killed under load, when one freezes, and when all are killed at once', async () => {
    const load = new BackgroundLoad(5, LOAD);
    load.start(cluster.url(2));
    await sleep(1000);
    await cluster.kill(3);
    await cluster.untilNode(3, 'down');
    await sleep(500);
    cluster.freeze(4);
    await cluster.untilNode(4, 'down');
    await sleep(1000);
    cluster.thaw(4);
    await cluster.restart(3);
    await cluster.untilNode(4, 'up');
    await cluster.untilNode(3, 'up');
    expect((await load.stop()).acknowledged).toBeGreaterThan(10);
    await load.check(cluster.url(3));

    load.start(cluster.url(4));
    await sleep(1000);
    load.end('errors');
    await Promise.all([1, 2, 3, 4].map((i) => cluster.kill(i)));
    await load.stop('errors');
    await cluster.restart(1); // alone, with all that a crash left half done
    await Promise.all([2, 3, 4].map((i) => cluster.restart(i)));
    await cluster.untilReady(3);
    for (const node of [2, 3, 4]) await cluster.untilNode(node, 'up');
    await load.check(cluster.url(3));
  });
});

/** The most that a process ever held in memory. */
async function memoryOf(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8');
  return 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]);
}

/** The first answer that is something, within some seconds. */
async function eventually<Answer>(ask: () => Promise<Answer | undefined | false>): Promise<Answer | undefined | false> {
  for (let attempt = 0; ; attempt += 1) {
    const answer = await ask();
    if ((answer !== undefined && answer !== false) || attempt > 100) return answer;
    await sleep(100);
  }
}
