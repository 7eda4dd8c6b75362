import { setImmediate as tick, setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { mapOrdered } from './map-ordered.js';

async function* counting(to: number, seen: number[] = []): AsyncGenerator<number> {
  for (let at = 0; at < to; at += 1) {
    await tick();
    seen.push(at);
    yield at;
  }
}

describe('mapOrdered', () => {
  it('keeps the order of the input, whichever call ends first, and never has more calls under way than it may', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(3), { maxLength: 30 }), fc.integer({ min: 1, max: 6 }), async (delays, width) => {
        let underWay = 0;
        let most = 0;
        const results = await Array.fromAsync(
          mapOrdered(delays, width, async (delay, index) => {
            most = Math.max(most, (underWay += 1));
            await sleep(delay);
            underWay -= 1;
            return index;
          }),
        );
        expect(results).toEqual(delays.map((_, index) => index));
        expect(most).toBe(Math.min(width, delays.length));
      }),
      { numRuns: 40 },
    );
  });

  it('pulls no more of the input than the results that were taken allow', async () => {
    const seen: number[] = [];
    const results = mapOrdered(counting(100, seen), 3, (item) => Promise.resolve(item));
    expect(seen).toEqual([]);
    await results.next();
    await sleep(10);
    expect(seen).toEqual([0, 1, 2]);
    await results.next();
    await sleep(10);
    expect(seen).toEqual([0, 1, 2, 3]);
    await results.return(undefined);
  });

  it('awaits what is under way, and starts nothing more, when its consumer stops', async () => {
    const ended: number[] = [];
    for await (const first of mapOrdered(counting(100), 4, (item) => sleep(20 * item).then(() => ended.push(item)))) {
      expect(first).toBe(1);
      break;
    }
    expect(ended).toEqual([0, 1, 2, 3]);
    await sleep(50);
    expect(ended).toEqual([0, 1, 2, 3]);
  });

  it.each([0, 2, 5])(
    'fails with the error of call %d behind the results before it, when all calls have ended',
    async (failing) => {
      const [got, ended]: [number[], number[]] = [[], []];
      const run = async (): Promise<void> => {
        const results = mapOrdered(counting(8), 3, async (item) => {
          await sleep(item === failing ? 1 : 10);
          ended.push(item);
          if (item === failing) throw new Error(`call ${item}`);
          return item;
        });
        for await (const item of results) got.push(item);
      };
      await expect(run()).rejects.toThrow(`call ${failing}`);
      expect(got).toEqual(Array.from({ length: failing }, (_, at) => at));
      const before = ended.length;
      await sleep(30);
      expect(ended).toHaveLength(before);
    },
  );

  it('fails with the error of the input, closes it, and awaits the calls', async () => {
    let isClosed = false;
    const ended: number[] = [];
    async function* failing(): AsyncGenerator<number> {
      try {
        yield 1;
        await tick();
        throw new Error('the input');
      } finally {
        isClosed = true;
      }
    }
    const results = mapOrdered(failing(), 4, (item) => sleep(20).then(() => ended.push(item)));
    await expect(Array.fromAsync(results)).rejects.toThrow('the input');
    expect([isClosed, ended]).toEqual([true, [1]]);
  });
});
