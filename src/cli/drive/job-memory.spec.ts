import { describe, expect, it } from '@jest/globals';
import { SdkError } from '../../sdk/errors.js';
import { MemoryStateStore } from '../../sdk/memory.state-store.js';
import { JobMemory } from './job-memory.js';

const WORDS = ['put', '/home/ada', '/photos'];
const NOW = 1_700_000_000_000;
const DAY_MS = 86_400_000;

async function begun(words: readonly string[], now: number, store: MemoryStateStore): Promise<readonly string[] | undefined> {
  return (await JobMemory.of(store, words, now)).begun;
}

describe('a command that was begun', () => {
  it('is remembered by the same words, until it has ended', async () => {
    const store = new MemoryStateStore();
    const job = await JobMemory.of(store, WORDS, NOW);
    expect(job.begun).toBeUndefined();
    await job.begin(['/photos'], NOW);
    expect(await begun(WORDS, NOW, store)).toEqual(['/photos']);
    expect(await begun(['put', '/home/ada/photos', ''], NOW, store)).toBeUndefined();
    await job.end();
    expect(await begun(WORDS, NOW, store)).toBeUndefined();
  });

  it.each([
    [0, true],
    [7 * DAY_MS, true],
    [7 * DAY_MS + 1, false],
    [-7 * DAY_MS, true],
    [-8 * DAY_MS, false],
  ])('is known %d ms later: %s', async (ms, isKnown) => {
    const store = new MemoryStateStore();
    await (await JobMemory.of(store, WORDS, NOW)).begin(['/photos'], NOW);
    expect((await begun(WORDS, NOW + ms, store)) !== undefined).toBe(isKnown);
  });

  it.each([
    'no JSON',
    'null',
    '[]',
    '{}',
    `{"begunAt":${NOW},"targets":"/"}`,
    `{"begunAt":${NOW},"targets":[1]}`,
    `{"begunAt":"${NOW}","targets":["/"]}`,
  ])('is a new one if what was kept is %s', async (text) => {
    class Changed extends MemoryStateStore {
      override async get(): Promise<Uint8Array> {
        return Buffer.from(text);
      }
    }
    expect(await begun(WORDS, NOW, new Changed())).toBeUndefined();
  });

  it('is a new one if what was kept cannot be read, and only then', async () => {
    class Broken extends MemoryStateStore {
      constructor(private readonly error: Error) {
        super();
      }

      override async get(): Promise<never> {
        throw this.error;
      }
    }
    expect(await begun(WORDS, NOW, new Broken(new SdkError('state-damaged')))).toBeUndefined();
    await expect(begun(WORDS, NOW, new Broken(new Error('defect')))).rejects.toThrow('defect');
  });
});
