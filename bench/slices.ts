/**
 * `npm run bench:slices`: what small slices cost. One large file is put and got with slices of 1,024 bytes and of 4 MiB, interleaved.
 * Options: `--pairs N` (5), `--mebibytes N` (64: size of the file), `--directory DIR` (the system's temporary one; where the data goes).
 */
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { tableOf } from './kit/table.ts';
import { runTrial } from './kit/run-trial.ts';
import { MiB } from './kit/sizes.ts';
import { slicesTrial } from './trials/slices.ts';

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '5' },
    mebibytes: { type: 'string', default: '64' },
    directory: { type: 'string', default: tmpdir() },
  },
});
const bench = { directory: values.directory, pairs: Number(values.pairs), effort: 'usual' } as const;
console.log(tableOf(await runTrial(slicesTrial(bench, Number(values.mebibytes) * MiB), bench)));
