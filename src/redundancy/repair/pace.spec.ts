import { describe, expect, it } from '@jest/globals';
import { Pace } from './pace.js';

const NEVER = new AbortController().signal;
const MiB = 1024 * 1024;

interface World {
  now: number;
  foreground: number | undefined;
  /** Of calls since the window was changed; that of late if absent. */
  since?: number | undefined;
  lag: number;
}

/** A clock that goes on by pauses and by the work that is said to be done. */
function makePace(bytesPerSecond: number): { pace: Pace; world: World } {
  const world: World = { now: 1000, foreground: undefined, lag: 0 };
  const pace = new Pace({
    bytesPerSecond: () => bytesPerSecond,
    foregroundMs: () => world.foreground,
    foregroundSinceMs: () => ('since' in world ? world.since : world.foreground),
    loopLagMs: () => world.lag,
    clock: {
      now: () => world.now,
      pause: (ms) => {
        world.now += ms;
        return Promise.resolve();
      },
    },
  });
  return { pace, world };
}

/** As many copies at once as the pace lets in, each time until all of them have arrived. Returns how many bytes went in a second. */
async function copy(pace: Pace, world: World, rounds: number): Promise<number> {
  const began = world.now;
  let copied = 0;
  for (let round = 0; round < rounds; round += 1) {
    const leaves: (() => void)[] = [];
    const rest = new AbortController();
    const entries = Array.from({ length: 100 }, async () => {
      leaves.push(await pace.enter(MiB, rest.signal));
      copied += MiB;
    });
    const settled = Promise.allSettled(entries);
    await new Promise(setImmediate);
    rest.abort();
    await settled;
    world.now += 10; // the work itself
    for (const leave of leaves) leave();
  }
  return (1000 * copied) / (world.now - began);
}

describe('the pace of a repair', () => {
  it('is no more than the bytes a second that it may copy', async () => {
    const { pace, world } = makePace(10 * MiB);
    for (let at = 0; at < 100; at += 1) (await pace.enter(MiB, NEVER))();
    expect(world.now - 1000).toBeCloseTo(9900, 0);
  });

  it('is not held back where there is no limit and nobody waits', async () => {
    const { pace, world } = makePace(0);
    for (let at = 0; at < 100; at += 1) (await pace.enter(MiB, NEVER))();
    expect(world.now).toBe(1000);
    expect(pace.heldBack).toBe(1);
  });

  it('lets more and more in while nobody waits, but not without a bound', async () => {
    const { pace, world } = makePace(0);
    const first = await copy(pace, world, 1);
    await copy(pace, world, 20);
    const last = await copy(pace, world, 1);
    expect(last).toBeGreaterThan(4 * first);
    expect(last).toBeLessThanOrEqual((64 * MiB) / 0.01);
  });

  it.each<[string, { foreground?: number; lag?: number }]>([
    ['calls take longer than without it', { foreground: 8 }],
    ['the event loop is late', { lag: 150 }],
  ])('slows down while %s, and recovers', async (_, sign) => {
    const { pace, world } = makePace(0);
    world.foreground = 5;
    pace.observeQuiet();
    await copy(pace, world, 30);
    const free = await copy(pace, world, 1);
    Object.assign(world, sign);
    await copy(pace, world, 10);
    const held = await copy(pace, world, 10);
    expect(held).toBeLessThan(free / 8);
    expect(pace.heldBack).toBe(16);
    Object.assign(world, { foreground: 7, lag: 0 });
    await copy(pace, world, 30);
    expect(await copy(pace, world, 1)).toBeGreaterThan(0.9 * free);
    expect(pace.heldBack).toBe(1);
  });

  it('is slowed down once by a slow moment, however long that is seen in the tail', async () => {
    const { pace, world } = makePace(0);
    world.foreground = 5;
    pace.observeQuiet();
    await copy(pace, world, 30);
    const free = await copy(pace, world, 1);
    Object.assign(world, { foreground: 50, since: undefined }); // nobody has asked since
    await copy(pace, world, 10);
    const held = await copy(pace, world, 1);
    expect(held).toBeLessThan(0.7 * free);
    expect(held).toBeGreaterThan(0.3 * free);
    world.since = 5;
    await copy(pace, world, 30);
    expect(await copy(pace, world, 1)).toBeGreaterThan(0.9 * free);
    world.since = undefined;
    world.now += 10_000; // so long ago tells nothing: those of late count
    await copy(pace, world, 1);
    world.since = 50;
    await copy(pace, world, 20);
    expect(pace.heldBack).toBeGreaterThan(8);
  });

  it('knows soon how fast calls can be, and does not forget it for a slow moment', async () => {
    const { pace, world } = makePace(0);
    const look = (foreground: number): void => {
      world.foreground = foreground;
      pace.observeQuiet();
    };
    look(40); // large uploads
    for (let second = 0; second < 6; second += 1) look(4);
    look(20);
    world.foreground = 12;
    await copy(pace, world, 20);
    expect(pace.heldBack).toBeGreaterThan(8);
    for (let second = 0; second < 30; second += 1) look(12); // calls are slower now, without a repair too
    await copy(pace, world, 40);
    expect(pace.heldBack).toBe(1);
  });

  it('begins with little while somebody waits', async () => {
    const { pace, world } = makePace(0);
    const idle = await copy(pace, world, 1);
    world.foreground = 5;
    pace.observeQuiet();
    expect(await copy(pace, world, 1)).toBeLessThan(idle / 4);
  });

  it('lets others in when one that waits gives up', async () => {
    const { pace, world } = makePace(0);
    world.foreground = 5;
    pace.observeQuiet();
    const leave = await pace.enter(MiB, NEVER);
    const impatient = new AbortController();
    const refused = pace.enter(MiB, impatient.signal);
    const next = pace.enter(MiB, NEVER);
    impatient.abort(new Error('enough'));
    await expect(refused).rejects.toThrow('enough');
    leave();
    (await next)();
  });
});
