import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { BackgroundLoad } from '../support/background-load.js';
import { FaultProxy } from '../support/chaos/fault-proxy.js';
import { Random } from '../support/crash/random.js';
import { PeerCluster, type PeerClusterOptions } from '../support/peer-cluster.js';
import { PostgresServer } from '../support/postgres.js';
import { eventually } from '../support/shard-files.js';

/** As slow to doubt a node as may be: the tests' machine has more to do than these processes. */
const PATIENT = { limits: { probe_interval_ms: 400, probe_ms_max: 1200 } };
const LOAD = { clients: 3, filesMax: 40, largeBytesMax: 200_000 };
/** Silence, the turns of three peers, and the takeover. */
const TAKEN_OVER_MS = 40_000;
const BY_ITSELF = 'takes over by itself';

let database: PostgresServer;
let cluster: PeerCluster;
const proxies: FaultProxy[] = [];

beforeAll(async () => {
  database = await PostgresServer.start({ isDurable: true });
});

afterEach(async () => {
  await cluster.remove();
  for (const proxy of proxies.splice(0)) await proxy.close();
});

afterAll(() => database.dispose());

async function start(options: Partial<PeerClusterOptions> = {}): Promise<void> {
  const metadata = { driver: 'postgres', url: await database.createDatabase() };
  const config = { ...PATIENT, takeover_after: 3, metadata };
  cluster = await PeerCluster.start({ nodes: 4, redundancy: 1, config, ...options });
}

async function gatewayBy(asked: number): Promise<number | undefined> {
  const answer = await fetch(`${cluster.url(asked)}/nodes`, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
  return answer?.ok === true ? ((await answer.json()) as { gateway: number }).gateway : undefined;
}

/** Waits until another one serves; returns who. */
async function untilTakenOver(from: number, asked: number): Promise<number> {
  const now = await eventually(
    () => gatewayBy(asked),
    (gateway) => gateway !== undefined && gateway !== from,
    TAKEN_OVER_MS,
  );
  await cluster.untilReady(asked);
  return now as number;
}

async function untilLogged(node: number, what: RegExp): Promise<void> {
  expect(
    await eventually(
      () => Promise.resolve(cluster.logs(node)),
      (logs) => what.test(logs),
      TAKEN_OVER_MS,
    ),
  ).toMatch(what);
}

const whoTookOver = (): number[] => [1, 2, 3, 4].filter((node) => cluster.logs(node).includes(BY_ITSELF));

describe('with the index in a database that outlives the gateway', () => {
  it('another one takes over by itself when it is killed, and when it is frozen, and no acknowledged file is lost', async () => {
    await start();
    const load = new BackgroundLoad(11, LOAD);
    load.start(cluster.url(3));
    await sleep(1500);
    load.end('errors');
    await cluster.kill(1);
    await load.stop('errors');
    expect(await untilTakenOver(1, 4)).toBe(2);
    await load.check(cluster.url(4));
    await cluster.restart(1);
    await cluster.untilNode(1, 'up');
    expect(await gatewayBy(1)).toBe(2);

    load.start(cluster.url(3));
    await sleep(1000);
    load.end('errors');
    cluster.freeze(2);
    await load.stop('errors');
    const third = await untilTakenOver(2, 4);
    await load.check(cluster.url(4));
    load.start(cluster.url(4), 'errors');
    await sleep(500);
    cluster.thaw(2);
    await cluster.untilNode(2, 'up');
    await load.stop('errors');
    expect(
      await eventually(
        () => gatewayBy(2),
        (gateway) => gateway === third,
        TAKEN_OVER_MS,
      ),
    ).toBe(third);
    await load.check(cluster.url(2));
    await load.checkCopies(cluster.url(2), 1);
    expect(whoTookOver()).toEqual(expect.arrayContaining([2, third]));
  });

  it('who is only cut off from the gateway does not take it from those who hear it, be it silent for a moment', async () => {
    const proxy = await FaultProxy.start(new Random(1));
    proxies.push(proxy);
    const peersAs = (node: number, origin: string, asker: number): string => {
      if (node !== 1 || asker !== 2) return origin;
      proxy.target = Number(new URL(origin).port);
      return proxy.origin;
    };
    await start({ peersAs });
    proxy.set({ isSilent: true });
    await untilLogged(2, /the gateway does not answer/);
    await sleep(4000);
    cluster.freeze(1); // not for so long that the others would take over
    await sleep(1500);
    cluster.thaw(1);
    await sleep(1500);
    expect(whoTookOver()).toEqual([]);
    expect(await gatewayBy(3)).toBe(1);
    await cluster.kill(1);
    expect(await untilTakenOver(1, 3)).toBe(2);
  });

  it('who has an older key ring leaves it to the next one, and while the database is away nobody begins', async () => {
    await start();
    const ring = join(cluster.directory, 'key-ring.json');
    const older = join(cluster.directory, 'older.json');
    await copyFile(ring, older);
    await cluster.stop(2);
    await cluster.configure(2, { key_ring: older });
    const load = new BackgroundLoad(5, LOAD);
    load.start(cluster.url(3));
    expect((await cluster.cli(['keys', 'rotate', '--config', cluster.configFile(1)])).code).toBe(0);
    await sleep(2500); // until the server has seen it, and the peers have heard of it
    await load.stop();
    await database.kill();
    await cluster.kill(1);
    await cluster.restart(2); // which has never heard the gateway, and hears of its keys from the others
    await untilLogged(2, /could not take over/);
    await untilLogged(3, /storage-unusable/);
    for (const node of [2, 3, 4]) expect(await gatewayBy(node)).toBeUndefined();
    await database.run();
    expect(await untilTakenOver(1, 4)).toBeGreaterThan(2);
    expect(cluster.logs(2)).toMatch(/key-missing.*lacks k2/);
    await load.check(cluster.url(4));
  });
});
