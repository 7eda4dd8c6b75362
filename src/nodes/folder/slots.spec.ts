import { describe, expect, it } from '@jest/globals';
import { Slots } from './slots.js';

const never = new AbortController().signal;

describe('Slots', () => {
  it('let no more in than there are, first come first served', async () => {
    const slots = new Slots(3);
    const begun: number[] = [];
    let underWay = 0;
    let most = 0;
    const work = async (number: number): Promise<void> => {
      begun.push(number);
      most = Math.max(most, ++underWay);
      await turn();
      underWay -= 1;
      if (number % 2 === 1) throw new Error('failures give their slot back too');
    };
    await Promise.allSettled(Array.from({ length: 20 }, (_, number) => slots.run(() => work(number), never)));
    expect(most).toBe(3);
    expect(begun).toEqual([...Array(20).keys()]);
  });

  it('refuse a waiter whose signal is aborted, and pass its turn on', async () => {
    const slots = new Slots(1);
    const gate = Promise.withResolvers<undefined>();
    const first = slots.run(() => gate.promise, never);
    const controller = new AbortController();
    const second = slots.run(() => Promise.resolve('second'), controller.signal);
    const third = slots.run(() => Promise.resolve('third'), never);
    const reason = new Error('left');
    controller.abort(reason);
    await expect(second).rejects.toBe(reason);
    gate.resolve(undefined);
    await first;
    expect(await third).toBe('third');
  });

  it('close when what is under way has ended, and refuse the rest', async () => {
    const slots = new Slots(1);
    const gate = Promise.withResolvers<undefined>();
    let ended = false;
    const first = slots.run(() => gate.promise, never).then(() => (ended = true));
    const waiting = slots.run(() => Promise.resolve(), never);
    const closing = Promise.all([slots.close(), slots.close()]).then(() => ended);
    await expect(waiting).rejects.toMatchObject({ kind: 'unavailable' });
    gate.resolve(undefined);
    await first;
    expect(await closing).toBe(true);
    await expect(slots.run(() => Promise.resolve(), never)).rejects.toMatchObject({ kind: 'unavailable' });
  });
});

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
