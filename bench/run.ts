/**
 * `npm run bench`: DistributedCloud beside bare servers that do the same input and output without it, interleaved in one run.
 * Options: `--pairs N` (5), `--directory DIR` (the system's temporary one; where the data goes), `--quick` (a tenth of the work).
 */
import { randomBytes, randomInt } from 'node:crypto';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { format, median } from './figures.ts';
import { type NextRequest, runLoad } from './load.ts';
import { get, idOf, put } from './requests.ts';
import { startFloor, startProduct, type Subject } from './subject.ts';

const MiB = 1024 * 1024;

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '5' },
    directory: { type: 'string', default: tmpdir() },
    quick: { type: 'boolean', default: false },
  },
});
const pairs = Number(values.pairs);

interface Row {
  readonly name: string;
  readonly bytes: number;
  readonly clients: number;
  readonly operations: number;
}

const scale = values.quick ? 0.1 : 1;
const ROWS: readonly Row[] = [
  { name: '64 MiB, 1 client', bytes: 64 * MiB, clients: 1, operations: Math.max(1, 4 * scale) },
  { name: '64 MiB, 4 clients', bytes: 64 * MiB, clients: 4, operations: Math.max(4, 8 * scale) },
  { name: '4 KiB, 1 client', bytes: 4096, clients: 1, operations: 300 * scale },
  { name: '4 KiB, 64 clients', bytes: 4096, clients: 64, operations: 5000 * scale },
];

const WIDE = {
  name: '4 KiB, 64 clients, over 20,000 files',
  bytes: 4096,
  clients: 64,
  operations: 5000 * scale,
  files: 20_000 * scale,
};

interface Measured {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpuMs: number;
}

async function measure(
  subject: Subject,
  row: Row,
  request: (operation: number) => NextRequest,
  onAnswer?: (body: string) => void,
): Promise<Measured> {
  const cpuBefore = subject.cpuSeconds();
  const { seconds, operations, latencies } = await runLoad(subject.port, row, request, onAnswer);
  const at = (share: number): number => latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))] ?? 0;
  return {
    perSecond: operations / seconds,
    p50: at(0.5),
    p99: at(0.99),
    cpuMs: ((subject.cpuSeconds() - cpuBefore) * 1000) / operations,
  };
}

interface Both {
  readonly put: Measured;
  readonly get: Measured;
}

/** One put and one get run of a subject. */
async function once(subject: Subject, row: Row, body: Buffer): Promise<Both> {
  const ids: string[] = [];
  const putResult = await measure(
    subject,
    row,
    () => put(body),
    (answer) => ids.push(idOf(answer)),
  );
  const getResult = await measure(subject, row, (operation) => get(ids[operation % ids.length] ?? ''));
  return { put: putResult, get: getResult };
}

type Subjects = Readonly<Record<'product' | 'durable' | 'memory', Subject>>;
/** One run of all subjects, one after the other. */
type Run<Result> = Readonly<Record<keyof Subjects, Result>>;

async function interleaved<Result>(
  subjects: Subjects,
  run: (subject: Subject, name: keyof Subjects) => Promise<Result>,
): Promise<readonly Run<Result>[]> {
  const runs: Run<Result>[] = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    runs.push({
      product: await run(subjects.product, 'product'),
      durable: await run(subjects.durable, 'durable'),
      memory: await run(subjects.memory, 'memory'),
    });
  }
  return runs;
}

function print(name: string, bytes: number, runs: readonly Run<Measured>[]): void {
  const own = (pick: (result: Measured) => number): string => format(median(runs.map(({ product }) => pick(product))));
  const ratio = (floor: 'durable' | 'memory'): string =>
    median(runs.map((run) => run.product.perSecond / run[floor].perSecond)).toFixed(2);
  const cells = [
    own(({ perSecond }) => perSecond),
    own(({ perSecond }) => (perSecond * bytes) / 1e6),
    own(({ p50 }) => p50),
    own(({ p99 }) => p99),
    own(({ cpuMs }) => cpuMs),
  ];
  console.log(`| ${name} | ${cells.join(' | ')} | ${ratio('durable')} | ${ratio('memory')} |`);
}

/** Gets of small files in no order among so many that neither a cache of the program nor the order of writing helps. */
async function measureWide(subjects: Subjects): Promise<void> {
  const body = randomBytes(WIDE.bytes);
  const ids: Record<keyof Subjects, string[]> = { product: [], durable: [], memory: [] };
  for (const [name, { port }] of Object.entries(subjects) as [keyof Subjects, Subject][]) {
    const size = { clients: WIDE.clients, operations: WIDE.files };
    await runLoad(
      port,
      size,
      () => put(body),
      (answer) => ids[name].push(idOf(answer)),
    );
  }
  const runs = await interleaved(subjects, (subject, name) =>
    measure(subject, WIDE, () => get(ids[name][randomInt(ids[name].length)] ?? '')),
  );
  print(`get ${WIDE.name}`, WIDE.bytes, runs);
}

async function main(): Promise<void> {
  const { directory } = values;
  const subjects: Subjects = {
    product: await startProduct(directory),
    durable: await startFloor(directory, 'durable'),
    memory: await startFloor(directory, 'memory'),
  };
  console.log(
    '| row | op/s | MB/s | p50 ms | p99 ms | CPU ms/op | of same I/O, bare | of no I/O, bare |\n|---|---|---|---|---|---|---|---|',
  );
  try {
    for (const row of ROWS) {
      const body = randomBytes(row.bytes);
      const runs = await interleaved(subjects, (subject) => once(subject, row, body));
      for (const operation of ['put', 'get'] as const) {
        const of = runs.map(({ product, durable, memory }) => ({
          product: product[operation],
          durable: durable[operation],
          memory: memory[operation],
        }));
        print(`${operation} ${row.name}`, row.bytes, of);
      }
    }
    await measureWide(subjects);
    console.log(
      `\npeak memory: ${Object.entries(subjects)
        .map(([name, { peakMiB }]) => `${name} ${peakMiB().toFixed(0)} MiB`)
        .join(', ')}`,
    );
  } finally {
    for (const subject of Object.values(subjects)) await subject.end();
  }
}

await main();
