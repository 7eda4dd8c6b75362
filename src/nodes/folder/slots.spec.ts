import { describe, expect, it } from '@jest/globals';
import { inBackground } from '../background-work.js';
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

  it('leave half of them to what somebody waits for, and let that in first', async () => {
    let now = 0;
    const slots = new Slots(4, () => now);
    const [begun, gates] = [[] as string[], new Map<string, () => void>()];
    const work = (name: string): (() => Promise<undefined>) => {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      gates.set(name, () => resolve(undefined));
      return () => (begun.push(name), promise);
    };
    const end = async (name: string): Promise<void> => {
      gates.get(name)?.();
      await turn();
    };
    const all: Promise<unknown>[] = [];
    const back = (name: string): void => void all.push(inBackground(() => slots.run(work(name), never)));
    const front = (name: string): void => void all.push(slots.run(work(name), never));
    for (let at = 1; at <= 6; at += 1) back(`b${at}`);
    expect(begun).toEqual(['b1', 'b2', 'b3', 'b4']); // nobody is there
    front('f1');
    await end('b1');
    expect(begun.slice(4)).toEqual(['f1']);
    await end('b2');
    await end('f1');
    expect(begun.slice(5)).toEqual([]); // two of four are in the background
    front('f2');
    front('f3');
    expect(begun.slice(5)).toEqual(['f2', 'f3']);
    await end('b3');
    expect(begun.slice(7)).toEqual(['b5']);
    await end('f2');
    await end('f3');
    now += 5000; // whoever was there has gone
    back('b7');
    expect(begun.slice(8)).toEqual([]); // one after the other
    await end('b4');
    expect(begun.slice(8)).toEqual(['b6', 'b7']);
    for (const name of gates.keys()) await end(name);
    await Promise.all(all);
  });

  it('let one go on in the background, however many are there', async () => {
    const slots = new Slots(2);
    const front = (): Promise<void> => slots.run(turn, never);
    const crowd = Array.from({ length: 50 }, front);
    let ended = false;
    const back = inBackground(() => slots.run(turn, never)).then(() => (ended = true));
    for (let at = 0; at < 50; at += 1) {
      crowd.push(front(), front());
      await turn();
    }
    expect(ended).toBe(true);
    await Promise.all([back, ...crowd]);
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
