import { describe, expect, it } from '@jest/globals';
import { Pace } from './pace.js';

const NEVER = new AbortController().signal;
const MiB = 1024 * 1024;

/** A clock that goes on by pauses and by the work that is said to be done. */
function makePace(bytesPerSecond: number): { pace: Pace; clock: { now: number; foreground: number | undefined; lag: number } } {
  const clock = { now: 1000, foreground: undefined as number | undefined, lag: 0 };
  const pace = new Pace({
    bytesPerSecond: () => bytesPerSecond,
    foregroundMs: () => clock.foreground,
    loopLagMs: () => clock.lag,
    now: () => clock.now,
    pause: (ms) => {
      clock.now += ms;
      return Promise.resolve();
    },
  });
  return { pace, clock };
}

describe('the pace of a repair', () => {
  it('is no more than the bytes a second that it may copy', async () => {
    const { pace, clock } = makePace(10 * MiB);
    for (let at = 0; at < 100; at += 1) await pace.take(MiB, NEVER);
    expect(clock.now - 1000).toBeCloseTo(9900, 0);
  });

  it('is not held back where there is no limit and nobody waits', async () => {
    const { pace, clock } = makePace(0);
    for (let at = 0; at < 100; at += 1) await pace.take(MiB, NEVER);
    expect(clock.now).toBe(1000);
  });

  it.each<[string, { foreground?: number; lag?: number }]>([
    ['calls take more than twice as long as without it', { foreground: 11 }],
    ['the event loop is late', { lag: 150 }],
  ])('slows down while %s, and recovers', async (_, sign) => {
    const { pace, clock } = makePace(0);
    clock.foreground = 5;
    pace.observeQuiet();
    const spent = async (): Promise<number> => {
      const began = clock.now;
      for (let at = 0; at < 10; at += 1) {
        await pace.take(MiB, NEVER);
        clock.now += 10; // the work itself
      }
      return clock.now - began;
    };
    const free = await spent();
    Object.assign(clock, sign);
    const held = await spent();
    expect(held).toBeGreaterThan(4 * free);
    expect(pace.heldBack).toBe(8);
    Object.assign(clock, { foreground: 9, lag: 0 });
    await spent();
    expect(await spent()).toBe(free);
  });
});
