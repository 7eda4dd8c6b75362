import { existsSync } from 'node:fs';
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { BackgroundLoad } from '../support/background-load.js';
import { Client } from '../support/client.js';
import { PeerCluster } from '../support/peer-cluster.js';

/** As slow to doubt a node as may be: the tests' machine has more to do than these processes. */
const PATIENT = { limits: { probe_interval_ms: 400, probe_ms_max: 1200 } };
const LOAD = { clients: 3, filesMax: 40, largeBytesMax: 200_000 };

let cluster: PeerCluster;

afterEach(() => cluster.remove());

async function gatewayAt(url: string): Promise<number> {
  return ((await (await fetch(`${url}/nodes`)).json()) as { gateway: number }).gateway;
}

describe('a takeover', () => {
  it('goes on with every acknowledged file when the gateway is killed for good under load, and fences it when it returns', async () => {
    cluster = await PeerCluster.start({ nodes: 4, redundancy: 1, config: PATIENT });
    const load = new BackgroundLoad(7, LOAD);
    load.start(cluster.url(3));
    await sleep(2000);
    load.end('errors');
    await cluster.kill(1);
    await load.stop('errors');
    const said = await cluster.takeOver(2);
    expect(said).toMatch(/term 2: nodes 2, 3, 4 obey node 2 now\n.*node 2 is the gateway now\n$/s);
    await cluster.untilReady(4);
    await load.check(cluster.url(4));
    load.start(cluster.url(4), 'errors');
    await sleep(500);
    await cluster.restart(1);
    await cluster.untilNode(1, 'up');
    await cluster.untilReady(1);
    await load.stop('errors');
    expect(await gatewayAt(cluster.url(1))).toBe(2);
    await load.put(cluster.url(1), 1);
    await load.check(cluster.url(1));
    // Once more, on the peer that had an index before: what lies there of then is kept aside.
    await cluster.stop(2);
    // Cut off before its index is made: the one of the first term must not be taken for it.
    const inTheWay = join(cluster.storage(1), 'index.rebuilding');
    await writeFile(inTheWay, '');
    expect((await cluster.cli(['takeover', '--config', cluster.configFile(1), '--node', '1'])).code).toBe(78);
    await cluster.kill(1);
    await cluster.restart(1);
    expect((await fetch(`${cluster.url(3)}/files/list`)).status).toBe(503);
    await rm(inTheWay);
    await cluster.takeOver(1);
    await cluster.untilReady(3);
    await load.check(cluster.url(3));
    expect((await readdir(cluster.storage(1))).filter((name) => name.startsWith('index.replaced-'))).toHaveLength(1);
  });

  it('fences a gateway that was frozen: what it still had to do is refused, and it passes requests on', async () => {
    cluster = await PeerCluster.start({ nodes: 3, redundancy: 1, shared: true, config: PATIENT });
    const before = await new Client(cluster.url(1)).put('before', 'x');
    const old = new Client(cluster.url(1));
    cluster.freeze(1);
    const waiting = Array.from({ length: 8 }, (_, at) => old.tryPut(`waiting ${at}`, `body ${at}`));
    await cluster.takeOver(3);
    await cluster.untilReady(2);
    await new Client(cluster.url(2)).put('after', 'y');
    cluster.thaw(1);
    // A connection that was idle for too long meanwhile may just be closed.
    const answers = (await Promise.allSettled(waiting)).flatMap((result) =>
      result.status === 'fulfilled' ? [result.value] : [],
    );
    await cluster.untilReady(1);
    expect(await gatewayAt(cluster.url(1))).toBe(3);
    const listed = (await new Client(cluster.url(2)).listAll()).map(({ id }) => id);
    for (const answer of answers) {
      if (answer.ok) expect(listed).toContain(((await answer.json()) as { id: string }).id);
      else expect([502, 503]).toContain(answer.status);
    }
    expect(listed).toContain(before.id);
    expect((await old.bytes(before.id)).toString()).toBe('x');
    expect(cluster.logs(1)).toContain('becomes a peer');
  });

  it('is refused without the keys, and with too few nodes; and can be repeated', async () => {
    cluster = await PeerCluster.start({ nodes: 3, redundancy: 1, config: PATIENT });
    const { id } = await new Client(cluster.url(1)).put('mine', 'kept');
    const keys = `${cluster.directory}/key-ring.json`;
    await cluster.kill(1);
    await rename(keys, `${keys}.away`);
    const without = await cluster.cli(['takeover', '--config', cluster.configFile(2), '--node', '2']);
    expect(without).toEqual({ code: 78, output: expect.stringMatching(/storage-missing\): the key ring .* is missing/) });
    await rename(`${keys}.away`, keys);
    await cluster.kill(3);
    const few = await cluster.cli(['takeover', '--config', cluster.configFile(2), '--node', '2']);
    expect(few).toEqual({ code: 78, output: expect.stringMatching(/not-enough-nodes\): 1 nodes can be reached and 2 must/) });
    expect(existsSync(`${cluster.storage(2)}/cluster.json`)).toBe(false);
    await cluster.restart(3);
    // Interrupted between the fence and the index: it is the gateway for the others by now, and has nothing to be it with.
    const inTheWay = join(cluster.storage(2), 'index.rebuilding');
    await writeFile(inTheWay, '');
    const cut = await cluster.cli(['takeover', '--config', cluster.configFile(2), '--node', '2']);
    expect(cut).toEqual({ code: 78, output: expect.stringMatching(/^term 2: .*storage-unusable/s) });
    await cluster.kill(2);
    await cluster.restart(2);
    const waiting = await new Client(cluster.url(3)).get(id);
    expect([waiting.status, await waiting.text()]).toEqual([503, expect.stringContaining('gateway-unavailable')]);
    await rm(inTheWay);
    expect(await cluster.takeOver(2)).toMatch(/^term 3: /);
    expect(await cluster.takeOver(2)).toBe('node 2 is the gateway already\n');
    await cluster.untilReady(3);
    expect((await new Client(cluster.url(3)).bytes(id)).toString()).toBe('kept');
  });
});
