import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { OutcomeUnknownError } from './outcome-unknown-error.js';
import { Turns } from './turns.js';

describe('Turns', () => {
  it('run what is about one thing one after the other, in its order, and the rest beside it', async () => {
    const turns = new Turns<string>();
    const events: string[] = [];
    const work = (name: string) => async (): Promise<string> => {
      events.push(`${name} begins`);
      await nextTurn();
      events.push(`${name} ends`);
      return name;
    };
    const all = [
      turns.take('a', work('a1')),
      turns.take('a', work('a2')),
      turns.take('b', work('b1')),
      turns.take('a', work('a3')),
    ];
    expect(await Promise.all(all)).toEqual(['a1', 'a2', 'b1', 'a3']);
    const ofA = events.filter((event) => event.startsWith('a'));
    expect(ofA).toEqual(['a1', 'a2', 'a3'].flatMap((name) => [`${name} begins`, `${name} ends`]));
    expect(events.indexOf('b1 begins')).toBeLessThan(events.indexOf('a1 ends'));
  });

  it('go on after one that fails, and keep nothing of what has ended', async () => {
    const turns = new Turns<string>();
    const failing = turns.take('a', () => Promise.reject(new Error('no')));
    const next = turns.take('a', () => Promise.resolve('yes'));
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('yes');
    expect((turns as unknown as { last: Map<string, unknown> }).last.size).toBe(0);
  });

  it('are refused while it is not known what became of a change before them, about the same thing alone', async () => {
    const turns = new Turns<string>();
    const yes = (): Promise<string> => Promise.resolve('yes');
    const { promise: isMade, resolve } = Promise.withResolvers<boolean>();
    const doubtful = turns.take('a', () => Promise.reject(new OutcomeUnknownError(isMade, undefined)));
    const waiting = turns.take('a', yes);
    await expect(doubtful).rejects.toMatchObject({ code: 'outcome-unknown' });
    for (const refused of [waiting, turns.take('a', yes)])
      await expect(refused).rejects.toMatchObject({ code: 'index-unavailable' });
    expect(await turns.take('b', yes)).toBe('yes');
    resolve(false);
    await isMade;
    expect(await turns.take('a', yes)).toBe('yes');
  });
});
