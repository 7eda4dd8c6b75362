/**
 * `npm run chaos`: does harm to a store under load, never more than it has promised to bear, and checks that it keeps its word.
 * Options: `--minutes N` (30), `--seed X` (the time), `--directory DIR` (the system's temporary one), `--nodes N` (4), `--redundancy R` (1),
 * `--clients N` (6), `--folders` (one process with its nodes in folders, and no cluster), `--database` (the index is in a PostgreSQL that is killed and
 * frozen, too, and peers take over by themselves).
 * `--table`: every N of 3, 4 and 5, every R below it, every choice of R peers killed, frozen or emptied; `--table --some`: one choice of each;
 * `--table --from N`: without the first N runs.
 * `--prove`: plants faults into the program, which must be found. Ends with 0 if no promise was broken (or all that was planted was found);
 * else with 1, and leaves storage, logs and the journal of the run for a look.
 */
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { type ChaosOutcome, ChaosRun } from '../test/support/chaos/chaos-run.ts';
import type { ChaosTarget } from '../test/support/chaos/chaos-target.ts';
import { ClusterTarget } from '../test/support/chaos/cluster-target.ts';
import { FolderTarget } from '../test/support/chaos/folder-target.ts';
import { prove, PROOFS } from '../test/support/chaos/prove.ts';
import { allCells, runTable, someCells, spellTable } from '../test/support/chaos/table.ts';
import { PostgresServer } from '../test/support/postgres.ts';
import { Random } from '../test/support/crash/random.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
    directory: { type: 'string', default: tmpdir() },
    nodes: { type: 'string', default: '4' },
    redundancy: { type: 'string', default: '1' },
    clients: { type: 'string', default: '6' },
    folders: { type: 'boolean', default: false },
    database: { type: 'boolean', default: false },
    table: { type: 'boolean', default: false },
    some: { type: 'boolean', default: false },
    from: { type: 'string', default: '0' },
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
    node_bytes_free_min: 2 * 1024 * 1024,
    compact_rest_ms: 200,
    collect_interval_ms: 200,
    sweep_interval_ms: 500,
    delegate_bytes_min: 32_768,
    orphan_grace_ms: 1000,
  },
};
const PACK_BYTES_MAX = CONFIG.limits.pack_bytes_max;
/** More than all files of a run need, and little enough to be filled at once. */
const DISK_MEGABYTES = 64;
const VIOLATIONS_MAX = 20;
/** With this for a deed the gateway is often away for so long that another one takes over. */
const TAKEOVER_MS = 15_000;

const running = new Set<ChaosTarget>();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void giveUp());
if (values.prove) await proveAll();
else if (values.table) await makeTable();
else tell(await run());

/** Nobody else would end the processes, or unmount the disks. What was stored stays, as after a violation. */
async function giveUp(): Promise<void> {
  await Promise.allSettled([...running].map((target) => target.remove()));
  process.exit(130);
}

async function tracked(starting: Promise<ChaosTarget>): Promise<ChaosTarget> {
  const target = await starting;
  running.add(target);
  return target;
}

function run(): Promise<ChaosOutcome> {
  console.log(`seed ${seed}, ${values.minutes} minutes`);
  const [nodes, redundancy] = [Number(values.nodes), Number(values.redundancy)];
  return ChaosRun.run({
    seed,
    msMax: Number(values.minutes) * 60_000,
    loadMsMax: values.database ? 30_000 : 15_000,
    ...(values.database && { holdMsMax: TAKEOVER_MS }),
    directory,
    clients: Number(values.clients),
    packBytesMax: PACK_BYTES_MAX,
    strikeKinds: values.folders ? ['vanish'] : ['kill', 'freeze', 'cut'],
    say: (line) => console.log(line),
    start: async (parts) => {
      const options = { nodes, redundancy, config: CONFIG, ...parts };
      if (values.folders) return tracked(FolderTarget.start(options));
      const database = values.database ? await PostgresServer.start({ isDurable: true }) : undefined;
      return tracked(ClusterTarget.start({ ...options, database, diskMegabytes: DISK_MEGABYTES }));
    },
  });
}

async function makeTable(): Promise<void> {
  const cells = values.some ? someCells(new Random(seed)) : allCells().slice(Number(values.from));
  console.log(`seed ${seed}, ${cells.length} runs`);
  const { rows, failed } = await runTable(cells, {
    seed,
    directory,
    say: (line) => console.log(line),
    start: ({ nodes, redundancy }, parts) =>
      tracked(ClusterTarget.start({ nodes, redundancy, config: CONFIG, deeds: {}, ...parts })),
  });
  for (const outcome of failed) tell(outcome);
  console.log(spellTable(rows));
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
