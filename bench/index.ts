/**
 * `npm run bench:index`: what an index in PostgreSQL costs beside the embedded one. Small files are put through HTTP, interleaved, and committed to
 * the stores alone; then both are filled with files, and pages of 1,000 are listed: in each order, at the start, in the middle, at the end, and
 * with a prefix. The database runs on this machine, with its fsyncs. Options: `--pairs N` (3), `--seconds N` (5), `--clients 1,16,64`,
 * `--only commits,pages`, `--engines embedded,postgres`, `--files 10000,1000000` (a million takes seven minutes, nearly all of them to fill the
 * database), `--long` (10,000,000 too, which takes an hour and more), `--directory DIR` (the system's temporary one).
 */
import { randomBytes } from 'node:crypto';
import { loadavg, tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { PostgresServer } from '../test/support/postgres.ts';
import { median } from './figures.ts';
import { creation, withEngines } from './filled-index.ts';
import { pages } from './index-pages.ts';
import { runLoad } from './load.ts';
import { put } from './requests.ts';
import { startProduct } from './subject.ts';

const FILE_BYTES = 1024;
const STORE_COMMITS = 10_000;
const USUAL_FILES = '10000,1000000';
const LONG_FILES = '10000,1000000,10000000';
const NEVER = new AbortController().signal;

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    clients: { type: 'string', default: '1,16,64' },
    only: { type: 'string', default: 'commits,pages' },
    files: { type: 'string' },
    engines: { type: 'string', default: 'embedded,postgres' },
    long: { type: 'boolean', default: false },
    directory: { type: 'string', default: tmpdir() },
  },
});

const database = await PostgresServer.start({ isDurable: true });
try {
  console.log(`load ${loadavg()[0]?.toFixed(1)}`);
  const asked = values.only.split(',');
  if (asked.includes('commits')) {
    for (const clients of values.clients.split(',').map(Number)) await commits(clients);
    await storeCommits();
  }
  const counts = values.files ?? (values.long ? LONG_FILES : USUAL_FILES);
  const place = { directory: values.directory, database, names: values.engines.split(',') };
  if (asked.includes('pages')) for (const files of counts.split(',').map(Number)) await pages(files, place);
  console.log(`load ${loadavg()[0]?.toFixed(1)}`);
} finally {
  await database.dispose();
}

async function commits(clients: number): Promise<void> {
  const rates: Record<'embedded' | 'postgres', number[]> = { embedded: [], postgres: [] };
  for (let pair = 0; pair < Number(values.pairs); pair += 1) {
    for (const driver of ['embedded', 'postgres'] as const) {
      const metadata = driver === 'embedded' ? {} : { driver, url: await database.createDatabase() };
      const subject = await startProduct(values.directory, { metadata });
      try {
        const body = randomBytes(FILE_BYTES);
        const ask = (operations: number): ReturnType<typeof runLoad> =>
          runLoad(subject.port, { clients, operations }, () => put(body));
        const warm = await ask(20 * clients);
        const { operations, seconds } = await ask(Math.ceil((Number(values.seconds) * warm.operations) / warm.seconds));
        rates[driver].push(operations / seconds);
      } finally {
        await subject.end();
      }
    }
  }
  const [embedded, postgres] = [median(rates.embedded), median(rates.postgres)];
  const all = Object.entries(rates).map(([driver, list]) => `${driver} ${list.map(Math.round).join(' ')}`);
  console.log(
    `${clients} clients, files/s: embedded ${Math.round(embedded)}, postgres ${Math.round(postgres)}; ${all.join('; ')}`,
  );
}

/** Without HTTP and bodies. */
async function storeCommits(): Promise<void> {
  await withEngines({ directory: values.directory, database }, async (engines) => {
    for (const { name, store } of engines) {
      const makers = Array.from({ length: 64 }, async (_, first) => {
        for (let at = first; at < STORE_COMMITS; at += 64) await store.commit(creation(at, STORE_COMMITS), NEVER);
      });
      const began = performance.now();
      await Promise.all(makers);
      const rate = Math.round(STORE_COMMITS / ((performance.now() - began) / 1000));
      console.log(`${name}: ${STORE_COMMITS} commits of the store alone, 64 at once: ${rate}/s`);
    }
  });
}
