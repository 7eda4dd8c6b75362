import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { NodeError } from '../nodes/storage-node.js';
import type { ClusterMember } from './cluster-member.js';
import { GatewayWatch } from './gateway-watch.js';

describe('GatewayWatch', () => {
  it('ends in good order while it asks all others, because the gateway does not answer', async () => {
    Logger.overrideLogger(false);
    const asking = Promise.withResolvers<undefined>();
    const member = {
      number: 2,
      map: { gateway: 1 },
      config: { limits: { probe_interval_ms: 10 } },
      hear: () => Promise.reject(new NodeError('unavailable', 'nothing listens there')),
      hearAll: async (signal: AbortSignal) => {
        asking.resolve(undefined);
        await once(signal, 'abort');
        signal.throwIfAborted();
      },
    } as unknown as ClusterMember;
    const watch = new GatewayWatch(member);
    watch.start();
    await asking.promise;
    expect(watch.problem()).toContain('does not answer');
    await watch.stop();
  });

  it('tells that the gateway is silent from the second failure on, and that it is back', async () => {
    let isWell = false;
    const member = {
      number: 2,
      map: { gateway: 1 },
      config: { limits: { probe_interval_ms: 60_000 }, peers: [] },
      hear: () => (isWell ? Promise.resolve({ run: 'a' }) : Promise.reject(new NodeError('unavailable', 'it is late'))),
      hearAll: () => Promise.resolve(new Map()),
    };
    const watch = new GatewayWatch(member as unknown as ClusterMember);
    const told: boolean[] = [];
    watch.onSilence((isSilent) => told.push(isSilent));
    await watch.relearn();
    expect(told).toEqual([]);
    await watch.relearn();
    await watch.relearn();
    isWell = true;
    await watch.relearn();
    await watch.relearn();
    expect(told).toEqual([true, true, false]);
    await watch.stop();
  });

  it('says whom it hears, for how long it has not, and which keys that one had', async () => {
    let hello: object | undefined = { number: 1, run: 'a', hears: 1, keys: ['k1:x'] };
    const config = { limits: { probe_interval_ms: 60_000 }, peers: [], takeover_after: 0.1 as number | null };
    const member = {
      number: 2,
      map: { gateway: 1 },
      config,
      hear: () => (hello === undefined ? Promise.reject(new NodeError('unavailable', 'it is late')) : Promise.resolve(hello)),
      hearAll: () => Promise.resolve(new Map()),
    };
    const watch = new GatewayWatch(member as unknown as ClusterMember);
    expect([watch.hears, watch.silentMs]).toEqual([1, 0]); // not asked yet: nobody may take over because of that
    await watch.relearn();
    expect([watch.hears, watch.silentMs, watch.keys]).toEqual([1, 0, ['k1:x']]);
    hello = undefined;
    await watch.relearn();
    await watch.relearn();
    expect(watch.silentMs).toBeGreaterThan(0);
    expect(watch.hears).toBe(1); // what is silent for a moment is not gone
    await sleep(110);
    expect([watch.hears, watch.keys]).toEqual([undefined, ['k1:x']]);
    config.takeover_after = null;
    expect(watch.hears).toBe(1);
    config.takeover_after = 0.1;
    // It is there and does not serve: nobody is helped by that.
    hello = { number: 1, run: 'b', hears: null };
    await watch.relearn();
    expect(watch.hears).toBeUndefined();
    hello = { number: 1, run: 'b' }; // an older program does not say
    await watch.relearn();
    expect([watch.hears, watch.silentMs]).toEqual([1, 0]);
    member.map = { gateway: 3 };
    expect([watch.hears, watch.silentMs]).toEqual([3, 0]);
    await watch.stop();
  });

  it('keeps the keys that the gateway had while that one begins anew, and not those of another one', async () => {
    let hello: object = { number: 1, run: 'a', hears: 1, keys: ['k1:x', 'k2:y'] };
    const member = {
      number: 2,
      map: { gateway: 1 },
      config: { limits: { probe_interval_ms: 60_000 }, peers: [] },
      hear: () => Promise.resolve(hello),
      hearAll: () => Promise.resolve(new Map()),
    };
    const watch = new GatewayWatch(member as unknown as ClusterMember);
    await watch.relearn();
    hello = { number: 1, run: 'b', hears: 1 };
    await watch.relearn();
    expect(watch.keys).toEqual(['k1:x', 'k2:y']);
    member.map = { gateway: 3 };
    hello = { number: 3, run: 'c', hears: 3 };
    await watch.relearn();
    expect(watch.keys).toBeUndefined();
    await watch.stop();
  });

  it('counts as silence that this process itself is the gateway and does not serve', async () => {
    const member = {
      number: 2,
      map: { gateway: 2 },
      config: { limits: { probe_interval_ms: 60_000 }, peers: [] },
      hearAll: () => Promise.resolve(new Map()),
    };
    const watch = new GatewayWatch(member as unknown as ClusterMember);
    await watch.relearn();
    expect(watch.hears).toBeUndefined();
    expect(watch.silentMs).toBeGreaterThan(0);
    await watch.stop();
  });

  it('learns with each look which run the gateway is of, and at once when asked', async () => {
    let run = 'first';
    const member = {
      number: 2,
      map: { gateway: 1 },
      config: { limits: { probe_interval_ms: 60_000 }, peers: ['http://one', 'http://two'] },
      hear: () => Promise.resolve({ run }),
    };
    const watch = new GatewayWatch(member as unknown as ClusterMember);
    watch.start();
    expect(watch.target()).toBeUndefined();
    expect(await watch.relearn()).toEqual({ origin: 'http://one', run: 'first' });
    run = 'second';
    expect(watch.target()?.run).toBe('first');
    expect((await watch.relearn())?.run).toBe('second');
    member.map = { gateway: 3 }; // what the other one said does not hold for this one
    expect(watch.target()).toBeUndefined();
    await watch.stop();
  });
});
