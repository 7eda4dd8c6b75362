/**
 * `npm run chaos`: does harm to a store under load, never more than it has promised to bear, and checks that it keeps its word.
 * Options: `--minutes N` (30), `--seed X` (the time), `--directory DIR` (the system's temporary one), `--nodes N` (4), `--redundancy R` (1),
 * `--clients N` (6), `--folders` (one process with its nodes in folders, and no cluster).
 * `--table`: every N of 3, 4 and 5, every R below it, every choice of R peers killed, frozen or emptied; `--table --some`: one choice of each.
 * `--prove`: plants faults into the program, which must be found. Ends with 0 if no promise was broken (or all that was planted was found);
 * else with 1, and leaves storage, logs and the journal of the run for a look.
 */
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { type ChaosOutcome, ChaosRun } from '../test/support/chaos/chaos-run.ts';
import type { DeedKind } from '../test/support/chaos/chaos-target.ts';
import { FolderTarget } from '../test/support/chaos/folder-target.ts';
import { prove, PROOFS } from '../test/support/chaos/prove.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
    directory: { type: 'string', default: tmpdir() },
    nodes: { type: 'string', default: '4' },
    redundancy: { type: 'string', default: '1' },
    clients: { type: 'string', default: '6' },
    folders: { type: 'boolean', default: false },
    prove: { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed);
const { directory } = values;
/** Small slices and packs, so that a small file has what a large one has; and what runs in the background does so all the time. */
const CONFIG = {
  size_per_slice: 16_384,
  pack_below: 4096,
  log_level: 'warn',
  limits: {
    pack_bytes_max: 1024 * 1024,
    compact_rest_ms: 200,
    collect_interval_ms: 200,
    sweep_interval_ms: 500,
    orphan_grace_ms: 1000,
  },
};
const PACK_BYTES_MAX = CONFIG.limits.pack_bytes_max;
const VIOLATIONS_MAX = 20;

const outcome = values.prove ? undefined : await run();
if (outcome === undefined) await proveAll();
else tell(outcome);

function run(): Promise<ChaosOutcome> {
  console.log(`seed ${seed}, ${values.minutes} minutes`);
  return ChaosRun.run({
    seed,
    msMax: Number(values.minutes) * 60_000,
    loadMsMax: 15_000,
    directory,
    clients: Number(values.clients),
    packBytesMax: PACK_BYTES_MAX,
    strikeKinds: ['vanish'] satisfies DeedKind[],
    say: (line) => console.log(line),
    start: (parts) =>
      FolderTarget.start({
        nodes: Number(values.nodes),
        redundancy: Number(values.redundancy),
        directory: parts.directory,
        config: CONFIG,
      }),
  });
}

function tell({ violations, stories, deeds, ...sums }: ChaosOutcome): void {
  const { rounds, acknowledged, underStrike, refused, unanswered, checked, ordered } = sums;
  console.log(`deeds: ${[...deeds].map(([kind, count]) => `${count} ${kind}`).join(', ')}`);
  console.log(
    `${rounds} rounds, ${acknowledged} changes acknowledged (${underStrike} with ${values.redundancy} nodes away), ${refused} refused, ` +
      `${unanswered} without an answer, ${checked} files checked, ${ordered} operations put in order, ${violations.length} violations`,
  );
  for (const [at, { kind, detail }] of violations.slice(0, VIOLATIONS_MAX).entries()) {
    console.error(`${kind}: ${detail}`);
    for (const line of stories[at] ?? []) console.error(`    ${line}`);
  }
  if (violations.length === 0) return;
  console.error(
    `Everything lies in ${sums.directory}; the same deeds again: npm run chaos -- --seed ${seed} (and the same options)`,
  );
  process.exitCode = 1;
}

async function proveAll(): Promise<void> {
  for (const proof of PROOFS) {
    const began = Date.now();
    const found = await prove(proof, { seed, directory, msMax: 120_000 });
    const isFound = found.violations.some(({ kind }) => kind === proof.kind);
    const seconds = ((Date.now() - began) / 1000).toFixed(1);
    console.log(`${proof.plant}: ${isFound ? 'found' : 'NOT FOUND'} after ${seconds} s as ${proof.kind}`);
    if (!isFound) process.exitCode = 1;
    await rm(found.directory, { recursive: true, force: true });
  }
}
