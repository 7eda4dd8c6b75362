import { tmpdir } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { CrashRun } from '../support/crash/crash-run.js';

/** Not chosen for what it finds; `npm run crash` takes a new one each time and as many cycles as wanted. */
const SEED = 20_251_125;
const CYCLES = 6;

describe('a server that is killed again and again under load', () => {
  it('keeps what it acknowledged, shows nothing else, and leaves nothing behind', async () => {
    const options = { cycles: CYCLES, seed: SEED, directory: tmpdir(), loadMsMax: 1500, stopEvery: 3 };
    const { violations, directory, ...sums } = await CrashRun.run(options);
    expect({ violations, directory }).toEqual({ violations: [], directory });
    // It was a load, and the kills came in the middle of it.
    expect(sums.acknowledged).toBeGreaterThan(10);
    expect(sums.interrupted).toBeGreaterThan(5);
    expect(sums.checked).toBeGreaterThan(10);
  });
});
