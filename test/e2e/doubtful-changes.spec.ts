import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { ClusterLinks } from '../support/chaos/cluster-links.js';
import { Client } from '../support/client.js';
import { Random } from '../support/crash/random.js';
import { PeerCluster } from '../support/peer-cluster.js';
import { eventually } from '../support/shard-files.js';

const FILES = 24;

let cluster: PeerCluster;
let links: ClusterLinks;

afterEach(async () => {
  await cluster.remove();
  await links.close();
});

describe('changes that the death of the gateway left on one node', () => {
  it('are on as many as any other soon after a takeover that took them for done', async () => {
    links = await ClusterLinks.open(3, new Random(1));
    cluster = await PeerCluster.start({
      nodes: 3,
      redundancy: 1,
      config: { log_level: 'warn', limits: { small_cache_bytes: 0 } },
      peersAs: (node, origin, asker) => links.origin({ asker, node }, origin),
    });
    const before = new Client(cluster.url(1));
    const ids: string[] = [];
    for (let at = 0; at < FILES; at += 1) ids.push((await before.put(`file ${at}`, 'acknowledged')).id);
    // What goes to node 3 stays on the way, and is lost with the gateway; what goes to node 2 beside it arrives.
    links.spoil(3, { fault: { isSilent: true }, direction: undefined, gateway: 0 });
    const replaces = Promise.allSettled(ids.map((id) => before.replace(id, 'never acknowledged')));
    await sleep(200);
    await cluster.kill(1);
    await replaces;
    links.heal(3);
    const takesOver = (): Promise<boolean> =>
      cluster.takeOver(3).then(
        () => true,
        () => false,
      );
    expect(await eventually(takesOver, (isDone) => isDone, 30_000)).toBe(true);
    await cluster.untilReady(3);
    await cluster.restart(1);
    await cluster.untilNode(1, 'up');
    // Nobody reads them: a reader would find the damage, and have it mended.
    const isIdle = async (): Promise<string> =>
      ((await (await fetch(`${cluster.url(3)}/repair`)).json()) as { readonly state: string }).state;
    await sleep(3000);
    expect(await eventually(isIdle, (state) => state === 'idle', 30_000)).toBe('idle');
    await cluster.kill(2);
    await cluster.untilNode(2, 'down');
    const after = new Client(cluster.url(3));
    for (const id of ids) expect((await after.bytes(id)).toString()).toMatch(/^(?:never )?acknowledged$/);
  });
});

describe('a change that one node has, and nobody can take back', () => {
  it('is not answered as one that did not happen', async () => {
    links = await ClusterLinks.open(2, new Random(1));
    cluster = await PeerCluster.start({
      nodes: 2,
      redundancy: 1,
      config: { log_level: 'warn', limits: { small_cache_bytes: 0 } },
      peersAs: (node, origin, asker) => links.origin({ asker, node }, origin),
    });
    const url = `${cluster.url(1)}/files`;
    const codeOf = async (answer: Promise<Response>): Promise<[number, string]> => {
      const { status, ...rest } = await answer.then(async (got) => ({ status: got.status, ...((await got.json()) as object) }));
      return [status, (rest as { readonly code: string }).code];
    };
    const { id } = await new Client(cluster.url(1)).put('a file', 'acknowledged');
    links.spoil(2, { fault: { isSilent: true }, direction: undefined, gateway: 0 });
    const unknown = [503, 'outcome-unknown'];
    const first = [fetch(url, { method: 'PUT', body: 'new' }), fetch(`${url}/${id}`, { method: 'PUT', body: 'other' })];
    expect(await Promise.all(first.map(codeOf))).toEqual([unknown, unknown]);
    // By now the node is known to be away, and nothing goes out.
    expect(await codeOf(fetch(`${url}/${id}`, { method: 'DELETE' }))).toEqual([503, 'not-enough-nodes']);
    links.heal(2);
    await cluster.untilNode(2, 'up');
    const after = new Client(cluster.url(1));
    expect((await after.bytes(id)).toString()).toBe('acknowledged');
    expect((await after.listAll()).map((file) => file.id)).toEqual([id]);
  });
});
