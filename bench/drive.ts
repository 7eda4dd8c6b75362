/**
 * `npm run bench:drive`: what end to end costs, as ratios to the plain API of the same server, interleaved in one run.
 * Options: `--mib N` (1024: the large file), `--pairs N` (5), `--files N` (2000: of 4 KiB), `--entries N` (10000: of the folder that is listed),
 * `--entry-bytes N` (16: of each), `--only large|small|list`, `--directory DIR`.
 */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { initAdmin } from '../test/support/accounts.ts';
import { format, median } from './figures.ts';
import { startProduct, type Subject } from './subject.ts';

const MiB = 1024 * 1024;
const SMALL_BYTES = 4096;
const PASSWORD = 'a password of the bench';
/** Uploads that are under way at once while the folder that is listed is filled. */
const WIDTH = 16;

const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: '1024' },
    pairs: { type: 'string', default: '5' },
    files: { type: 'string', default: '2000' },
    entries: { type: 'string', default: '10000' },
    'entry-bytes': { type: 'string', default: '16' },
    only: { type: 'string' },
    directory: { type: 'string', default: tmpdir() },
  },
});

const dist = new URL('../dist/sdk/', import.meta.url);
const of = <Module>(file: string): Promise<Module> => import(new URL(file, dist).href) as Promise<Module>;
const { connect } = await of<typeof import('../src/sdk/index.js')>('index.js');
const { nodeFloe } = await of<typeof import('../src/sdk/node-floe-back-end.js')>('node-floe-back-end.js');
const { nodeSymmetric } = await of<typeof import('../src/sdk/node-symmetric.js')>('node-symmetric.js');
const { useSymmetric } = await of<typeof import('../src/sdk/symmetric.js')>('symmetric.js');
const { NodeFileSource } = await of<typeof import('../src/sdk/node-file-source.js')>('node-file-source.js');
type Drive = import('../src/sdk/index.js').Drive;

const CLI = fileURLToPath(new URL('../bin/dcloud.mjs', import.meta.url));
const run = promisify(execFile);

function isWanted(row: 'large' | 'small' | 'list'): boolean {
  return values.only === undefined || values.only === row;
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

/** A store with an account, by its plain token and by its drive. */
interface World {
  readonly subject: Subject;
  readonly url: string;
  readonly token: string;
  readonly drive: Drive;
  /** Of what is uploaded, and of the command line's profile. */
  readonly folder: string;
}

async function drain(body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const piece of body) if (piece.length === 0) continue;
}

/** Upload and download of one file: seconds by the drive, and by the plain API. */
async function largePair({ url, token, drive, folder }: World, run: number): Promise<Record<'up' | 'down', [number, number]>> {
  const path = join(folder, 'large.bin');
  const headers = { Authorization: `Bearer ${token}` };
  const up = await seconds(async () => {
    const source = await NodeFileSource.open(path);
    await drive.upload(`/large-${run}.bin`, source);
    await source.close();
  });
  let id = '';
  const plainUp = await seconds(async () => {
    const body = Readable.toWeb(createReadStream(path, { highWaterMark: MiB }));
    const answer = await fetch(`${url}/files?name=large`, { method: 'PUT', headers, body, duplex: 'half' });
    ({ id } = (await answer.json()) as { id: string });
  });
  const down = await seconds(async () => drain((await drive.download(`/large-${run}.bin`)).body));
  const plainDown = await seconds(async () => {
    const answer = await fetch(`${url}/files/${id}`, { headers });
    await drain(answer.body as unknown as AsyncIterable<Uint8Array>);
  });
  await drive.remove(`/large-${run}.bin`);
  await fetch(`${url}/files/${id}`, { method: 'DELETE', headers });
  return { up: [up, plainUp], down: [down, plainDown] };
}

/** Clock ticks of a second in /proc. */
const TICKS_PER_SECOND = 100;

/** Seconds of processor time of the commands that have ended. */
function commandSeconds(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
}

interface FolderPair {
  readonly seconds: [number, number];
  /** Processor time of command and server. */
  readonly cpu: readonly [readonly [number, number], readonly [number, number]];
}

/** A folder of small files: seconds of `dcloud put -r`, and of curl with as many requests at once as it chooses itself (50). */
async function folderPair({ subject, url, token, folder }: World, round: number): Promise<FolderPair> {
  const cpu = (): readonly [number, number] => [commandSeconds(), subject.cpuSeconds()];
  const used = (from: readonly [number, number], to: readonly [number, number]) => [to[0] - from[0], to[1] - from[1]] as const;
  const begin = cpu();
  const env = { ...process.env, XDG_CONFIG_HOME: join(folder, 'config'), DCLOUD_SERVER: url };
  const sealed = await seconds(async () => {
    await run(process.execPath, [CLI, 'put', '-r', '--quiet', join(folder, 'small'), `/small-${round}`], { env });
  });
  const list = join(folder, 'curl.txt');
  const lines = Array.from({ length: Number(values.files) }, (_, at) => [
    `url = "${url}/files?name=${at}"`,
    `upload-file = "${join(folder, 'small', String(at))}"`,
    'output = "/dev/null"',
  ]);
  await writeFile(list, [`header = "Authorization: Bearer ${token}"`, ...lines.flat()].join('\n'));
  const between = cpu();
  const plain = await seconds(() => run('curl', ['-sS', '-Z', '-K', list]));
  return { seconds: [sealed, plain], cpu: [used(begin, between), used(between, cpu())] };
}

async function listing({ drive }: World): Promise<{ first: number; whole: number }> {
  let first = NaN;
  let count = 0;
  const started = performance.now();
  for await (const { name } of drive.list('/many')) {
    if (Number.isNaN(first)) first = performance.now() - started;
    if (name !== '') count += 1;
  }
  if (count !== Number(values.entries)) throw new Error(`${count} entries were listed`);
  return { first, whole: performance.now() - started };
}

async function login(url: string, folder: string): Promise<void> {
  const env = { ...process.env, XDG_CONFIG_HOME: join(folder, 'config') };
  const args = ['login', 'ada', '--server', url, '--password-file', join(folder, 'password')];
  const child = spawn(process.execPath, [CLI, ...args], { env, stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number];
  if (code !== 0) throw new Error(`dcloud login ended with ${code}`);
}

function row(name: string, pairs: readonly (readonly [number, number])[], amount: number, unit: string): void {
  const [mine, plain] = [median(pairs.map(([each]) => each)), median(pairs.map(([, each]) => each))];
  const ratio = median(pairs.map(([sealed, open]) => open / sealed));
  console.log(`| ${name} | ${format(amount / mine)} ${unit} | ${format(amount / plain)} ${unit} | ${ratio.toFixed(2)} |`);
}

async function open(subject: Subject): Promise<World> {
  useSymmetric(nodeSymmetric);
  const url = `http://127.0.0.1:${subject.port}`;
  const token = await initAdmin(url, subject.storage);
  const server = await connect(url, { floe: nodeFloe });
  const { drive } = await server.register({ userName: 'ada', password: PASSWORD });
  const folder = await mkdtemp(join(values.directory, 'dcloud-bench-drive-'));
  await writeFile(join(folder, 'password'), PASSWORD);
  await mkdir(join(folder, 'small'));
  for (let at = 0; at < Number(values.files); at += 1)
    await writeFile(join(folder, 'small', String(at)), randomBytes(SMALL_BYTES));
  const large = Array.from({ length: isWanted('large') ? Number(values.mib) / 16 : 0 }, () => randomBytes(16 * MiB));
  await writeFile(join(folder, 'large.bin'), large);
  await login(url, folder);
  return { subject, url, token, drive, folder };
}

async function fill({ drive }: World): Promise<void> {
  await drive.mkdir('/many');
  const { sourceOfBytes } = await of<typeof import('../src/sdk/index.js')>('index.js');
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < Number(values.entries))
      await drive.upload(`/many/entry ${next++}`, sourceOfBytes(new Uint8Array(Number(values['entry-bytes']))));
  };
  await Promise.all(Array.from({ length: WIDTH }, worker));
}

const subject = await startProduct(values.directory, { registration: 'open' });
const world = await open(subject);
try {
  const rounds = Array.from({ length: Number(values.pairs) }, (_, round) => round);
  const large = [];
  for (const round of isWanted('large') ? rounds : []) large.push(await largePair(world, round));
  const folders: FolderPair[] = [];
  for (const round of isWanted('small') ? rounds : []) folders.push(await folderPair(world, round));
  if (isWanted('list')) await fill(world);
  const lists = [];
  for (let at = 0; isWanted('list') && at < rounds.length; at += 1) lists.push(await listing(world));
  console.log('| row | sealed by the client | plain | ratio |\n|---|---|---|---|');
  if (large.length > 0) {
    const [mib, unit] = [Number(values.mib), 'MiB/s'];
    for (const way of ['up', 'down'] as const)
      row(
        `${way}load ${mib} MiB`,
        large.map((pair) => pair[way]),
        mib,
        unit,
      );
  }
  if (folders.length > 0) {
    const pairs = folders.map((pair) => pair.seconds);
    row(`${values.files} files of 4 KiB, dcloud put -r / curl -Z`, pairs, Number(values.files), 'files/s');
    const cpu = (of: 0 | 1, by: 0 | 1): string => format(median(folders.map((pair) => pair.cpu[of][by])));
    console.log(
      `\nProcessor seconds of these: ${cpu(0, 0)} dcloud and ${cpu(0, 1)} its server; ${cpu(1, 0)} curl and ${cpu(1, 1)} its server.`,
    );
  }
  if (lists.length > 0)
    console.log(
      `\nA folder of ${values.entries}: first entries after ${format(median(lists.map(({ first }) => first)))} ms, all after ${format(median(lists.map(({ whole }) => whole)) / 1000)} s.`,
    );
} finally {
  await subject.end();
  await rm(world.folder, { recursive: true, force: true });
}
