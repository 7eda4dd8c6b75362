import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { ReadTurns } from './read-turns.js';

/** How often a walk goes on while so many turns pass. */
async function walkBeside(turns: ReadTurns, count: number): Promise<number> {
  const progress = { steps: 0, isOver: false };
  const walk = (async () => {
    for (; !progress.isOver; progress.steps += 1) await turns.afterPages();
  })();
  for (let turn = 0; turn < count; turn += 1) await nextTurn();
  const { steps } = progress;
  progress.isOver = true;
  await walk;
  return steps;
}

it('lets a walk go on with each turn while nobody makes a page, after one that failed too', async () => {
  const turns = new ReadTurns();
  await expect(turns.page(() => Promise.reject(new Error('no page')))).rejects.toThrow('no page');
  expect(await walkBeside(turns, 40)).toBeGreaterThan(35);
});

it('lets a page go first, and a walk go on all the same', async () => {
  const turns = new ReadTurns();
  const steps = await turns.page(() => walkBeside(turns, 330));
  expect(steps).toBeGreaterThan(5);
  expect(steps).toBeLessThan(15);
});
