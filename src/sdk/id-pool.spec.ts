import { expect, it } from '@jest/globals';
import { IdPool } from './id-pool.js';

function newPool(): { readonly pool: IdPool; readonly counts: number[] } {
  const counts: number[] = [];
  const pool = new IdPool(async (count) => {
    counts.push(count);
    await Promise.resolve();
    return Array.from({ length: count }, (_, at) => `${counts.length}-${at}`);
  });
  return { pool, counts };
}

it('thousands of ids that are wanted at once cost a few requests, and each is given once', async () => {
  const { pool, counts } = newPool();
  const { signal } = new AbortController();
  const taken = await Promise.all(Array.from({ length: 2_000 }, () => pool.take(signal)));
  expect(new Set(taken).size).toBe(2_000);
  expect(counts).toEqual([8, 64, 512, 512, 512, 512, 512]);
});

it('nobody waits for ids if they are wanted one after the other', async () => {
  const { pool, counts } = newPool();
  const { signal } = new AbortController();
  await Promise.all(Array.from({ length: 8 + 64 }, () => pool.take(signal)));
  expect(counts).toEqual([8, 64]);
  await pool.take(signal);
  for (let left = 512 - 1 - 128; left > 0; left -= 1) await pool.take(signal);
  expect(counts).toEqual([8, 64, 512]);
  await pool.take(signal); // the last but 127
  expect(counts).toEqual([8, 64, 512, 512]);
});

it('ids that nobody waits for may fail to come, and are asked for again by who needs them', async () => {
  const counts: number[] = [];
  const pool = new IdPool(async (count) => {
    counts.push(count);
    await Promise.resolve();
    if (counts.length === 4) throw new Error('no answer');
    return Array.from({ length: count }, (_, at) => `${counts.length}-${at}`);
  });
  const { signal } = new AbortController();
  for (let left = 8 + 64 + 512 - 127; left > 0; left -= 1) await pool.take(signal);
  await new Promise(setImmediate);
  expect(counts).toEqual([8, 64, 512, 512]);
  await pool.take(signal);
  expect(counts).toEqual([8, 64, 512, 512, 512]);
});

it('ids that the server has forgotten are not given out any more', async () => {
  const { pool, counts } = newPool();
  const { signal } = new AbortController();
  expect(await pool.take(signal)).toMatch(/^1-/u);
  pool.forget();
  expect(await pool.take(signal)).toMatch(/^2-/u);
  expect(counts).toEqual([8, 64]);
});

it('who is aborted does not take the ids of others with them', async () => {
  const { pool, counts } = newPool();
  const [aborted, other] = [new AbortController(), new AbortController()];
  const calls = [pool.take(aborted.signal), pool.take(other.signal)] as const;
  aborted.abort();
  await expect(calls[0]).rejects.toThrow('aborted');
  expect(await calls[1]).toMatch(/^1-/u);
  expect(counts).toEqual([8]);
});
