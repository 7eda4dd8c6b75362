import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { newId, type LeaseId, type VersionId } from '../common/ids.js';
import type { FoundDamage, Leases } from '../nodes/peer/read-desk.js';
import { GatewayDesk } from './gateway-desk.js';

const DAMAGE: FoundDamage = { node: 3, kind: 'corrupt', shard: { versionId: newId<VersionId>(), stripe: 1, index: 0 } };

describe('GatewayDesk', () => {
  let told: Leases[];
  let found: FoundDamage[];
  let answer: () => Promise<void>;
  let desk: GatewayDesk;

  beforeEach(() => {
    Logger.overrideLogger(false);
    jest.useFakeTimers();
    [told, found] = [[], []];
    answer = () => Promise.resolve();
    desk = new GatewayDesk({
      layout: () => Promise.resolve(undefined),
      lease: async (leases) => {
        told.push(leases);
        await answer();
      },
      damaged: async (some) => void found.push(...some),
    });
  });

  afterEach(async () => {
    await desk.onApplicationShutdown();
    jest.useRealTimers();
  });

  it('renews what is read, and tells at once what is read no more', async () => {
    const [one, other] = [newId<LeaseId>(), newId<LeaseId>()];
    const endOne = desk.hold(one);
    desk.hold(other);
    await jest.advanceTimersByTimeAsync(5000);
    expect(told).toEqual([{ held: [one, other], ended: [] }]);
    endOne();
    endOne();
    await jest.advanceTimersByTimeAsync(0);
    expect(told.slice(1)).toEqual([{ held: [other], ended: [one] }]);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(told.slice(2)).toEqual([
      { held: [other], ended: [] },
      { held: [other], ended: [] },
    ]);
  });

  it('is silent when nothing is read', async () => {
    desk.hold(newId<LeaseId>())();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(told).toHaveLength(1);
  });

  it('tells together what comes while a call is under way, and loses nothing behind one that failed', async () => {
    const { promise, reject } = Promise.withResolvers<undefined>();
    answer = async () => {
      await promise;
    };
    const ids = Array.from({ length: 3 }, () => newId<LeaseId>());
    const ends = ids.map((id) => desk.hold(id));
    ends[0]?.();
    await jest.advanceTimersByTimeAsync(0);
    ends[1]?.();
    ends[2]?.();
    desk.report(DAMAGE);
    expect(told).toHaveLength(1);
    answer = () => Promise.resolve();
    reject(new Error('the gateway is gone'));
    await jest.advanceTimersByTimeAsync(0);
    expect(told.slice(1)).toEqual([{ held: [], ended: [ids[1], ids[2]] }]);
    expect(found).toEqual([DAMAGE]);
  });
});
