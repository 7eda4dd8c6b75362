/**
 * `npm run bench`: DistributedCloud beside bare servers that do the same input and output without it, interleaved in one run.
 * Options: `--pairs N` (5), `--directory DIR` (the system's temporary one; where the data goes), `--quick` (a tenth of the work).
 */
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { type NextRequest, runLoad } from './load.ts';
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

interface Measured {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpuMs: number;
}

function put(body: Buffer): NextRequest {
  return {
    head: `PUT /files?name=bench HTTP/1.1\r\nHost: bench\r\nContent-Type: application/octet-stream\r\nContent-Length: ${body.length}\r\n\r\n`,
    body,
  };
}

function get(id: string): NextRequest {
  return { head: `GET /files/${id} HTTP/1.1\r\nHost: bench\r\n\r\n` };
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
    (answer) => ids.push((JSON.parse(answer) as { id: string }).id),
  );
  const getResult = await measure(subject, row, (operation) => get(ids[operation % ids.length] ?? ''));
  return { put: putResult, get: getResult };
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
}

function format(number: number): string {
  return number >= 100 ? number.toFixed(0) : number.toPrecision(3);
}

async function main(): Promise<void> {
  const { directory } = values;
  const subjects = {
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
      const runs: Record<keyof typeof subjects, Both>[] = [];
      for (let pair = 0; pair < pairs; pair += 1) {
        runs.push({
          product: await once(subjects.product, row, body),
          durable: await once(subjects.durable, row, body),
          memory: await once(subjects.memory, row, body),
        });
      }
      for (const operation of ['put', 'get'] as const) {
        const own = (pick: (result: Measured) => number): string =>
          format(median(runs.map(({ product }) => pick(product[operation]))));
        const ratio = (floor: 'durable' | 'memory'): string =>
          median(runs.map((run) => run.product[operation].perSecond / run[floor][operation].perSecond)).toFixed(2);
        const cells = [
          own(({ perSecond }) => perSecond),
          own(({ perSecond }) => (perSecond * row.bytes) / 1e6),
          own(({ p50 }) => p50),
          own(({ p99 }) => p99),
          own(({ cpuMs }) => cpuMs),
        ];
        console.log(`| ${operation} ${row.name} | ${cells.join(' | ')} | ${ratio('durable')} | ${ratio('memory')} |`);
      }
    }
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
