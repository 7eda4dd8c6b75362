import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type ChaosOptions, type ChaosOutcome, ChaosRun } from '../support/chaos/chaos-run.js';
import { FolderTarget, type FolderTargetOptions } from '../support/chaos/folder-target.js';

const CONFIG = { size_per_slice: 16_384, pack_below: 4096, log_level: 'warn' };

const kept: string[] = [];

afterEach(async () => {
  for (const directory of kept.splice(0)) await rm(directory, { recursive: true, force: true });
});

async function folders(options: Partial<ChaosOptions>, target: Partial<FolderTargetOptions> = {}): Promise<ChaosOutcome> {
  const outcome = await ChaosRun.run({
    seed: 1,
    msMax: 1,
    loadMsMax: 2500,
    directory: tmpdir(),
    strikeKinds: ['vanish'],
    holdMsMax: 800,
    gapMsMax: 300,
    strikeMsMax: 1000,
    start: ({ directory }) => FolderTarget.start({ nodes: 4, redundancy: 1, directory, config: CONFIG, ...target }),
    ...options,
  });
  kept.push(outcome.directory);
  return outcome;
}

// That the harness finds nothing means something only if it would find it.
describe('a fault that is planted into the program', () => {
  it('is found if a change is acknowledged with one copy', async () => {
    const { violations, stories } = await folders({}, { plant: 'one-copy', deeds: { vanish: 1 } });
    expect(violations.map(({ kind }) => kind)).toContain('unreadable');
    expect(stories.flat().join('\n')).toMatch(/answered: .*"status":20/);
  });

  it('is found if a reader gets what was replaced a moment before', async () => {
    const { violations } = await folders({ loadMsMax: 1500 }, { plant: 'stale-read', deeds: { kill: 1 } });
    expect(violations.map(({ kind }) => kind)).toContain('stale');
  });

  it('is found if the nodes are not told of a deletion', async () => {
    const config = { ...CONFIG, limits: { collect_interval_ms: 60_000, sweep_interval_ms: 60_000 } };
    const options: Partial<FolderTargetOptions> = { plant: 'no-tombstone', deeds: { vanish: 4, rebuild: 1 }, config };
    const { violations } = await folders({ msMax: 30_000 }, options);
    expect(violations.map(({ kind }) => kind)).toContain('resurrected');
  });
});
