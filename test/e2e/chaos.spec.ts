import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type ChaosOptions, type ChaosOutcome, ChaosRun } from '../support/chaos/chaos-run.js';
import { ClusterTarget } from '../support/chaos/cluster-target.js';
import { prove, PROOFS } from '../support/chaos/prove.js';

/** Not chosen for what it finds; `npm run chaos` takes a new one each time. */
const SEED = 20_251_125;
/** Kinds of deeds that are done at least. */
const KINDS = 2;
const CONFIG = { size_per_slice: 16_384, pack_below: 4096, log_level: 'warn', limits: { delegate_bytes_min: 32_768 } };

const kept: string[] = [];

afterEach(async () => {
  for (const directory of kept.splice(0)) await rm(directory, { recursive: true, force: true });
});

async function run(options: Pick<ChaosOptions, 'start' | 'strikeKinds'>): Promise<ChaosOutcome> {
  const short = { msMax: 0, loadMsMax: 5000, kindsMin: KINDS, clients: 3, holdMsMax: 1000, gapMsMax: 500, strikeMsMax: 1000 };
  const outcome = await ChaosRun.run({ seed: SEED, directory: tmpdir(), ...short, ...options });
  kept.push(outcome.directory);
  return outcome;
}

function expectSound({ violations, stories, directory, ...sums }: ChaosOutcome): void {
  expect({ violations, stories, directory }).toEqual({ violations: [], stories: [], directory });
  // It was a load, and there were deeds.
  expect(sums.acknowledged).toBeGreaterThan(0);
  expect(sums.underStrike).toBeGreaterThan(0);
  expect(sums.checked).toBeGreaterThan(0);
  expect(sums.ordered).toBeGreaterThan(0);
  expect(sums.deeds.size).toBeGreaterThanOrEqual(KINDS);
}

describe('a store to which harm is done by seed, no more than it has promised to bear', () => {
  it('keeps its word as a cluster of four processes', async () => {
    const deeds = { kill: 2, freeze: 2, cut: 3 };
    const start: ChaosOptions['start'] = (parts) =>
      ClusterTarget.start({ nodes: 4, redundancy: 1, config: CONFIG, deeds, ...parts });
    expectSound(await run({ start, strikeKinds: ['kill', 'freeze'] }));
  });
});

// That the harness finds nothing means something only if it would find it. The other faults: `npm run chaos -- --prove`.
describe('a fault that is planted into the program', () => {
  it('is found, with the history of a file, if a change is acknowledged with one copy', async () => {
    const proof = PROOFS.find(({ plant }) => plant === 'one-copy')!;
    const { violations, stories, directory } = await prove(proof, { seed: SEED, directory: tmpdir(), msMax: 20_000 });
    kept.push(directory);
    expect(violations.map(({ kind }) => kind)).toContain(proof.kind);
    expect(stories.flat().join('\n')).toMatch(/answered: .*"status":20/);
  });
});
