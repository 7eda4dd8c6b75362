import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { ChaosRun } from '../test/support/chaos/chaos-run.ts';
import { FolderTarget } from '../test/support/chaos/folder-target.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
    directory: { type: 'string', default: tmpdir() },
    plant: { type: 'string' },
  },
});
const outcome = await ChaosRun.run({
  seed: Number(values.seed),
  msMax: Number(values.minutes) * 60_000,
  loadMsMax: 10_000,
  directory: values.directory,
  strikeKinds: ['vanish'],
  say: (line) => console.log(line),
  start: ({ directory }) =>
    FolderTarget.start({
      nodes: 4,
      redundancy: 1,
      directory,
      config: {
        size_per_slice: 16_384,
        pack_below: 4096,
        log_level: 'warn',
        limits: { collect_interval_ms: 200, sweep_interval_ms: 500, orphan_grace_ms: 1000 },
      },
      plant: values.plant as never,
    }),
});
const { violations, stories, deeds, ...sums } = outcome;
console.log(JSON.stringify(sums), Object.fromEntries(deeds));
for (const [at, { kind, detail }] of violations.entries()) {
  console.log(`${kind}: ${detail}`);
  for (const line of stories[at] ?? []) console.log(`    ${line}`);
}
if (violations.length > 0) process.exitCode = 1;
