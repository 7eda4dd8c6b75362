import 'reflect-metadata';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { MapKeeper } from './cluster/map-keeper.js';
import type { AppConfig } from './config/app-config.js';
import { loadConfig } from './config/load-config.js';
import { LmdbMetadataStore } from './metadata/embedded/lmdb.metadata-store.js';
import { PeerClient } from './nodes/peer/peer-client.js';
import { PeerSecret } from './nodes/peer/peer-secret.js';
import { type RunningProcess, startCluster } from './start-cluster.js';
import { MEMORY_DISK } from '../test/support/memory-disk.js';

const SECRET = 'a secret of this test that is long enough';

let directory: string;
let config: AppConfig;
let running: RunningProcess | undefined;

async function freeOrigin(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}

/** Node 1 of a cluster of two, of which the other one is never there: for a takeover one is enough. */
beforeEach(async () => {
  directory = mkdtempSync(join(MEMORY_DISK, 'dcloud-process-'));
  const flags = {
    storage_directory: join(directory, 'store'),
    key_ring: join(directory, 'key-ring.json'),
    node_count: 2,
    redundancy_count: 1,
    peers: [await freeOrigin(), await freeOrigin()],
    cluster_secret: SECRET,
    log_level: 'silent',
  };
  config = loadConfig({ defaultsFile: 'config/default.json', file: undefined, environment: {}, flags, node: 1 });
});

afterEach(async () => {
  jest.restoreAllMocks();
  await running?.close();
  running = undefined;
  rmSync(directory, { recursive: true });
});

describe('a process of a cluster', () => {
  it('does not take over from itself while it is becoming the gateway', async () => {
    await (await startCluster(config)).close();
    const goOn = Promise.withResolvers<undefined>();
    const begun = Promise.withResolvers<undefined>();
    jest.spyOn(MapKeeper.prototype, 'round').mockImplementation(() => {
      begun.resolve(undefined);
      return goOn.promise;
    });
    const starting = startCluster(config);
    await begun.promise;
    const client = new PeerClient({ origin: config.peers[0]!, secret: PeerSecret.of(SECRET), limits: config.limits });
    const said = Array.fromAsync(client.takeOver(true, new AbortController().signal));
    await Promise.race([said.catch(() => undefined), sleep(500)]);
    goOn.resolve(undefined);
    running = await starting;
    expect(await said).toEqual(['node 1 is the gateway already']);
    expect(running.role()).toBe('gateway');
    await client.close();
  });

  it('closes what it opened when it cannot become the gateway', async () => {
    jest.spyOn(MapKeeper.prototype, 'start').mockImplementationOnce(() => {
      throw new Error('the disk is full');
    });
    const close = jest.spyOn(LmdbMetadataStore.prototype, 'close');
    await expect(startCluster(config)).rejects.toThrow('the disk is full');
    expect(close).toHaveBeenCalledTimes(1);
  });
});
