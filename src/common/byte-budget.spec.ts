import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { ByteBudget } from './byte-budget.js';

const never = new AbortController().signal;
const busy = expect.objectContaining({ name: 'DomainError', code: 'too-busy' });

describe('ByteBudget', () => {
  it('gives what there is at once, and the rest in the order of asking', async () => {
    const budget = new ByteBudget(10, 5000);
    const first = await budget.take(6, never);
    const order: string[] = [];
    const waiting = ['large', 'small'].map(async (name) => {
      const give = await budget.take(name === 'large' ? 8 : 1, never);
      order.push(name);
      return give;
    });
    await sleep(5);
    // There is room for the small one, but it came later: the large one would wait for ever behind small ones.
    expect(order).toEqual([]);
    first();
    await Promise.all(waiting);
    expect(order).toEqual(['large', 'small']);
  });

  it('never has more out than it holds, under many takers, and all of it back at the end', async () => {
    const budget = new ByteBudget(100, 5000);
    let out = 0;
    let most = 0;
    const shares = Array.from({ length: 200 }, (_, at) => 1 + ((at * 37) % 60));
    await Promise.all(
      shares.map(async (share) => {
        const give = await budget.take(share, never);
        most = Math.max(most, (out += share));
        await sleep(share % 3);
        out -= share;
        give();
      }),
    );
    expect(most).toBeLessThanOrEqual(100);
    expect(most).toBeGreaterThan(50);
    (await budget.take(100, never))();
  });

  it('lets more than the whole be the whole', async () => {
    const give = await new ByteBudget(10, 10).take(Infinity, never);
    give();
  });

  it('takes a share back once, however often it is given', async () => {
    const budget = new ByteBudget(10, 10);
    const give = await budget.take(10, never);
    give();
    give();
    await budget.take(10, never);
    await expect(budget.take(1, never)).rejects.toEqual(busy);
  });

  it('refuses after the longest wait, and lets the next one in that the refused one stood before', async () => {
    const budget = new ByteBudget(10, 30);
    await budget.take(9, never);
    const large = budget.take(5, never);
    await sleep(15);
    const small = budget.take(1, never);
    await expect(large).rejects.toEqual(busy);
    (await small)();
  });

  it('lets go of who leaves, before and while it waits, and loses nothing by it', async () => {
    const budget = new ByteBudget(10, 5000);
    const reason = new Error('left');
    const give = await budget.take(10, never);
    await expect(budget.take(1, AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const waiting = budget.take(5, controller.signal);
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    // Admitted and gone in the same turn: the share must come back.
    const second = new AbortController();
    const admitted = budget.take(10, second.signal);
    give();
    second.abort(reason);
    const outcome = await admitted.catch(() => undefined);
    outcome?.();
    (await budget.take(10, never))();
  });
});
