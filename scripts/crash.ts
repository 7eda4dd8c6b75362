/**
 * `npm run crash`: kills a server under load again and again and checks each time that it kept its promises.
 * Options: `--cycles N` (200), `--seed X` (the time), `--directory DIR` (the system's temporary one), `--clients N` (12), `--load-ms N`
 * (3000: the longest load of a cycle). Ends with 0 if no promise was broken; else with 1, and leaves storage, journal and log for a look.
 */
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { CrashRun } from '../test/support/crash/crash-run.ts';

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
    directory: { type: 'string', default: tmpdir() },
    clients: { type: 'string', default: '12' },
    'load-ms': { type: 'string', default: '3000' },
  },
});

console.log(`seed ${values.seed}, ${values.cycles} cycles`);
const outcome = await CrashRun.run({
  cycles: Number(values.cycles),
  seed: Number(values.seed),
  directory: values.directory,
  clients: Number(values.clients),
  loadMsMax: Number(values['load-ms']),
  say: (line) => console.log(line),
});
const { acknowledged, refused, interrupted, checked, rebuilds, violations, directory } = outcome;
console.log(
  `${acknowledged} changes acknowledged, ${refused} refused, ${interrupted} interrupted, ${checked} files checked, ${rebuilds} indexes rebuilt, ${violations.length} violations`,
);
for (const { kind, detail } of violations) console.error(`${kind}: ${detail}`);
if (violations.length > 0) {
  console.error(
    `Everything lies in ${directory}; the same again: npm run crash -- --cycles ${values.cycles} --seed ${values.seed}`,
  );
  process.exitCode = 1;
}
