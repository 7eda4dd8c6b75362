/**
 * `npm run bench`: DistributedCloud beside bare programs that do the same input and output without it, in turns. Writes a table, a picture and the
 * figures to `bench/results/`. Options:
 *
 * - `--only ROW,ROW`: only rows or trials of these names, or those that begin with one and a dash; `--list` names all
 * - `--pairs N` (5): turns of each side, of which the middle one counts
 * - `--quick`: tiny sizes, to see that it runs (2 pairs); `--long`: the full sizes, which take half an hour
 * - `--directory DIR`: where the data goes (a tmpfs with room, else the system's temporary directory)
 * - `--results DIR` (bench/results)
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Bench, defaultDirectory, type Effort } from './kit/bench.ts';
import { begin, report } from './kit/report.ts';
import { type RowResult, runTrial } from './kit/run-trial.ts';
import { trialsOf } from './trials/all.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    list: { type: 'boolean', default: false },
    pairs: { type: 'string' },
    quick: { type: 'boolean', default: false },
    long: { type: 'boolean', default: false },
    directory: { type: 'string', default: defaultDirectory() },
    results: { type: 'string', default: fileURLToPath(new URL('results', import.meta.url)) },
  },
});

function pairsOf(given: string | undefined, effort: Effort): number {
  const pairs = Number(given ?? (effort === 'quick' ? 2 : 5));
  if (!Number.isInteger(pairs) || pairs < 1)
    throw new RangeError(`--pairs is ${given ?? ''}, and must be a whole number from 1 on`);
  return pairs;
}

async function main(): Promise<void> {
  const effort: Effort = values.quick ? 'quick' : values.long ? 'long' : 'usual';
  const bench: Bench = { directory: values.directory, effort, pairs: pairsOf(values.pairs, effort) };
  const trials = trialsOf(
    bench,
    values.only.split(',').filter((name) => name !== ''),
  );
  if (values.list) {
    for (const { name, rows } of trials) console.log(`${name}: ${rows.map((row) => row.name).join(', ')}`);
    return;
  }
  const began = begin();
  const results: RowResult[] = [];
  for (const trial of trials) {
    const started = performance.now();
    try {
      results.push(...(await runTrial(trial, bench)));
      console.error(`${trial.name}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
    } catch (error) {
      // What the others found in minutes is kept.
      console.error(`${trial.name} failed:`, error);
      process.exitCode = 1;
    }
  }
  console.log(report(values.results, bench, began, results));
}

await main();
