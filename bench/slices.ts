/**
 * `npm run bench:slices`: what small slices cost. One large file is put and got with slices of 1,024 bytes and of 4 MiB, interleaved.
 * Options: `--pairs N` (5), `--mebibytes N` (64: size of the file), `--directory DIR` (the system's temporary one; where the data goes).
 */
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { format, median } from './figures.ts';
import { type NextRequest, runLoad } from './load.ts';
import { get, idOf, put } from './requests.ts';
import { startProduct, type Subject } from './subject.ts';

const MiB = 1024 * 1024;
const SMALL = 1024;
const LARGE = 4 * MiB;

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '5' },
    mebibytes: { type: 'string', default: '64' },
    directory: { type: 'string', default: tmpdir() },
  },
});

interface Speeds {
  readonly put: number;
  readonly get: number;
}

/** MB/s of one request. */
async function speed(subject: Subject, request: NextRequest, bytes: number): Promise<{ speed: number; answer: string }> {
  let answer = '';
  const { seconds } = await runLoad(
    subject.port,
    { clients: 1, operations: 1 },
    () => request,
    (text) => (answer = text),
  );
  return { speed: bytes / 1e6 / seconds, answer };
}

async function once(subject: Subject, body: Buffer): Promise<Speeds> {
  const written = await speed(subject, put(body), body.length);
  const read = await speed(subject, get(idOf(written.answer)), body.length);
  return { put: written.speed, get: read.speed };
}

async function main(): Promise<void> {
  const { directory } = values;
  const small = await startProduct(directory, { size_per_slice: SMALL });
  const large = await startProduct(directory, { size_per_slice: LARGE });
  const body = randomBytes(Number(values.mebibytes) * MiB);
  try {
    const runs: { readonly small: Speeds; readonly large: Speeds }[] = [];
    for (let pair = 0; pair < Number(values.pairs); pair += 1)
      runs.push({ large: await once(large, body), small: await once(small, body) });
    console.log(`| ${values.mebibytes} MiB | slices of 1,024 B: MB/s | slices of 4 MiB: MB/s | ratio |\n|---|---|---|---|`);
    for (const operation of ['put', 'get'] as const) {
      const speeds = (of: 'small' | 'large'): string => format(median(runs.map((run) => run[of][operation])));
      const ratio = median(runs.map((run) => run.small[operation] / run.large[operation]));
      console.log(`| ${operation} | ${speeds('small')} | ${speeds('large')} | ${ratio.toFixed(2)} |`);
    }
    console.log(`\npeak memory: ${small.peakMiB().toFixed(0)} MiB with 1,024 B, ${large.peakMiB().toFixed(0)} MiB with 4 MiB`);
  } finally {
    await small.end();
    await large.end();
  }
}

await main();
