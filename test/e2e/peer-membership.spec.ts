import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Client } from '../support/client.js';
import { PeerCluster } from '../support/peer-cluster.js';

/** Seen soon, and as slow to be doubted as may be. */
const PATIENT = { probe_interval_ms: 400, probe_ms_max: 1200 };

let cluster: PeerCluster;

afterEach(() => cluster.remove());

async function until(what: string, isSo: () => Promise<boolean>, msMax = 40_000): Promise<void> {
  for (const deadline = Date.now() + msMax; !(await isSo());) {
    if (Date.now() > deadline) throw new Error(`not ${what}: ${JSON.stringify(await cluster.nodes())}\n${cluster.logs(1)}`);
    await sleep(100);
  }
}

async function call(path: string, method = 'GET'): Promise<Response> {
  return fetch(`${cluster.url(1)}${path}`, { method });
}

async function json<Shape>(path: string): Promise<Shape> {
  return (await (await call(path)).json()) as Shape;
}

async function expectAll(files: ReadonlyMap<string, Buffer>, through: number): Promise<void> {
  const client = new Client(cluster.url(through));
  for (const [id, body] of files) expect(Buffer.compare(await client.bytes(id), body)).toBe(0);
}

describe('peers that come and go', () => {
  it('takes in a fifth, empties and removes another one under load, and replaces a disk, without a restart of the others', async () => {
    const config = { size_per_slice: 4096, limits: { collect_interval_ms: 200, ...PATIENT } };
    cluster = await PeerCluster.start({ nodes: 4, redundancy: 1, config });
    const files = new Map<string, Buffer>();
    const load = new AbortController();
    // All of it through a peer that only passes it on.
    const loading = (async () => {
      const client = new Client(cluster.url(3));
      for (let at = 0; !load.signal.aborted; at += 1) {
        const body = randomBytes([100, 20_000, 70_000][at % 3]!);
        files.set((await client.put(`f${at}`, body)).id, body);
      }
    })();
    await until('some files stored', async () => Promise.resolve(files.size >= 9));

    const added = await cluster.grow();
    cluster.reload(1);
    await until('known', async () => (await cluster.nodes()).some(({ node }) => node === added));
    await cluster.restart(added);
    await cluster.untilNode(added, 'up');
    for (const number of [2, 3, 4]) cluster.reload(number);
    await until('agreed', async () => (await cluster.nodes()).every(({ disagreement }) => disagreement === undefined));
    await until('used', async () => (await json<{ files: number }>(`/nodes/${added}`)).files > 0);

    expect((await call('/nodes/2/drain', 'POST')).status).toBe(202);
    await until('drained', async () => (await json<{ drain?: { done: boolean } }>('/nodes/2')).drain?.done === true);
    expect((await call('/nodes/2', 'DELETE')).status).toBe(204);
    load.abort();
    await loading;
    await cluster.kill(2);
    await rm(cluster.nodeFolder(2), { recursive: true });
    expect((await cluster.nodes()).map(({ node }) => node)).toEqual([1, 3, 4, 5]);

    // A new disk for node 4, whose process goes on.
    await rm(cluster.nodeFolder(4), { recursive: true });
    await cluster.untilNode(4, 'down');
    await mkdir(cluster.nodeFolder(4), { recursive: true });
    expect((await call('/nodes/4/replace', 'POST')).status).toBe(202);
    await cluster.untilNode(4, 'up');
    await until('restored', async () => (await json<{ restoring?: boolean }>('/nodes/4')).restoring === undefined);
    await cluster.kill(3);
    await cluster.untilNode(3, 'down');
    await expectAll(files, added);
  }, 120_000);

  it('empties the node of the gateway, which goes on with its index, and lets it go after a takeover', async () => {
    const config = { size_per_slice: 4096, limits: { collect_interval_ms: 200, ...PATIENT } };
    cluster = await PeerCluster.start({ nodes: 4, redundancy: 1, config });
    const files = new Map<string, Buffer>();
    const client = new Client(cluster.url(3));
    const store = async (count: number): Promise<void> => {
      for (let at = 0; at < count; at += 1) {
        const body = randomBytes([100, 20_000, 70_000][at % 3]!);
        files.set((await client.put(`f${at}`, body)).id, body);
      }
    };
    await store(15);
    const [gone] = [...files.keys()] as [string];
    expect((await call('/nodes/1/drain', 'POST')).status).toBe(202);
    await store(9); // meanwhile
    expect((await client.remove(gone)).status).toBe(204);
    files.delete(gone);
    await until('drained', async () => (await json<{ drain?: { done: boolean } }>('/nodes/1')).drain?.done === true);
    expect(await json('/nodes/1')).toMatchObject({ state: 'draining', files: 0, drain: { records: 0 } });
    const left = await readdir(join(cluster.nodeFolder(1), 'shards'), { recursive: true, withFileTypes: true });
    expect(left.filter((entry) => entry.isFile())).toEqual([]);

    // Its process is the gateway as before, also after a restart without any word to end.
    await cluster.kill(1);
    await cluster.restart(1);
    await cluster.untilReady(3);
    // A peer sends no body twice: until it knows the new run it tells to ask again. It learns of it by the first request without one.
    expect((await fetch(`${cluster.url(3)}/nodes`)).status).toBe(200);
    await store(6);
    expect((await json<{ files: number }>('/nodes/1')).files).toBe(0);
    const refused = await call('/nodes/1', 'DELETE');
    expect([refused.status, await refused.text()]).toEqual([409, expect.stringContaining('removal-refused')]);
    await cluster.kill(2); // one of the others, as R = 1 has it
    await cluster.untilNode(2, 'down');
    await expectAll(files, 4);
    await cluster.restart(2);
    await cluster.untilNode(2, 'up');

    await cluster.kill(1);
    await cluster.takeOver(2);
    await cluster.untilReady(3);
    const removed = await fetch(`${cluster.url(2)}/nodes/1`, { method: 'DELETE' });
    expect(removed.status).toBe(204);
    await expectAll(files, 3);
  }, 120_000);

  it('counts a new node only when no takeover can miss it, by a reload and by a restart', async () => {
    const config = { limits: PATIENT };
    cluster = await PeerCluster.start({ nodes: 4, redundancy: 1, config });
    const added = await cluster.grow();
    for (const cutOff of [2, 3, 4]) cluster.freeze(cutOff);
    await cluster.restart(added);
    const refused = await call('/reload', 'POST');
    expect([refused.status, await refused.text()]).toEqual([503, expect.stringContaining('not-enough-nodes')]);
    expect((await cluster.nodes()).map(({ node }) => node)).toEqual([1, 2, 3, 4]);
    // With the same configuration a restart is as a reload.
    await cluster.kill(1);
    await cluster.restart(1);
    expect((await new Client(cluster.url(1)).tryPut('early', 'x')).status).toBe(503);
    await until('waiting', async () => Promise.resolve(cluster.logs(1).includes('it waits for them')));
    cluster.thaw(2);
    await cluster.untilNode(added, 'up');
    const { id } = await new Client(cluster.url(1)).put('kept', 'x');
    await cluster.kill(1);
    for (const cutOff of [3, 4]) cluster.thaw(cutOff);
    cluster.reload(3);
    await until('known', async () => Promise.resolve(cluster.logs(3).includes('the configuration was read anew')));
    await cluster.takeOver(3);
    await cluster.untilReady(3);
    expect((await new Client(cluster.url(3)).bytes(id)).toString()).toBe('x');
  }, 120_000);
});
