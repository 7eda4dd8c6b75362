import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { someBytes } from '../support/bytes.js';
import { FaultProxy } from '../support/chaos/fault-proxy.js';
import { Random } from '../support/crash/random.js';

const BYTES = someBytes(200_000);

let server: Server;
let proxy: FaultProxy;
let requests: number;

beforeEach(async () => {
  requests = 0;
  server = createServer((_, response) => {
    requests += 1;
    response.end(BYTES);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = await FaultProxy.start(new Random(1));
  proxy.target = (server.address() as AddressInfo).port;
});

afterEach(async () => {
  await proxy.close();
  server.closeAllConnections();
  server.close();
});

async function get(): Promise<Buffer> {
  return Buffer.from(await (await fetch(proxy.origin)).arrayBuffer());
}

describe('a proxy that makes a link bad', () => {
  it('passes everything as long as nothing is wrong', async () => {
    expect((await get()).equals(BYTES)).toBe(true);
  });

  it('delays', async () => {
    proxy.set({ delayMs: 200 }, 'to');
    const began = Date.now();
    await get();
    expect(Date.now() - began).toBeGreaterThanOrEqual(190);
  });

  it('holds all back and tells nobody, until it is healed', async () => {
    proxy.set({ isSilent: true }, 'to');
    const answer = get();
    expect(await Promise.race([answer, sleep(300, 'silence')])).toBe('silence');
    expect(requests).toBe(0);
    proxy.heal();
    expect((await answer).equals(BYTES)).toBe(true);
  });

  it('holds the answer back alone, so that a request arrives and nobody knows', async () => {
    proxy.set({ isSilent: true }, 'from');
    const answer = get();
    expect(await Promise.race([answer, sleep(300, 'silence')])).toBe('silence');
    expect(requests).toBe(1);
    proxy.heal();
    await answer;
  });

  it('throttles', async () => {
    proxy.set({ bytesPerSecond: 400_000 }, 'from');
    const began = Date.now();
    expect((await get()).equals(BYTES)).toBe(true);
    expect(Date.now() - began).toBeGreaterThan(350);
  });

  it('turns bits', async () => {
    await get(); // so that the connection is there, and the head of the answer is not all that there is to hit
    proxy.set({ flipShare: 1 }, 'from');
    const seen = await Promise.allSettled([get(), get(), get(), get()]);
    expect(seen.some((result) => result.status === 'rejected' || !result.value.equals(BYTES))).toBe(true);
    proxy.heal();
    proxy.resetAll();
    const again = await get().catch(get); // the first may meet a connection of which the reset has not arrived yet
    expect(again.equals(BYTES)).toBe(true);
  });

  it('resets connections in the middle, and refuses new ones', async () => {
    proxy.set({ bytesPerSecond: 100_000 }, 'from');
    const answer = get();
    const isBroken = answer.then(
      () => false,
      () => true,
    );
    await sleep(200);
    proxy.set({ resetShare: 1 });
    expect(await isBroken).toBe(true);
    await expect(get()).rejects.toThrow();
    proxy.heal();
    expect((await get()).equals(BYTES)).toBe(true);
  });

  it('lets a client wait for a server that is not there no longer than a closed port would', async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
    await expect(get()).rejects.toThrow();
  });
});
