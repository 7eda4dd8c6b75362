import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runTrial, type RowResult } from '../../bench/kit/run-trial.ts';
import type { Row, Trial, Turn } from '../../bench/kit/trial.ts';

const run = promisify(execFile);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dcloud-bench-spec-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** A turn in which so many MB went through in a second. */
function turnOf(speed: number): Turn {
  return { seconds: 1, operations: 1, bytes: speed * 1e6, latencies: [speed], cpuSeconds: 1, peakMiB: speed };
}

const ROW: Row = { name: 'row', title: 'row', unit: 'MB/s', measured: 'product.put', beside: 'floor.put', floor: 'nothing' };

/** A trial with speeds of each turn. */
function trialOf(
  speeds: { readonly product: readonly number[]; readonly floor: readonly number[] },
  row: Row,
  seen: string[],
): Trial {
  const side = (name: 'product' | 'floor') => (turn: number) => {
    seen.push(name);
    return Promise.resolve({ put: turnOf(speeds[name][turn]!) });
  };
  const end = async (): Promise<void> => void seen.push('end');
  return { name: 'trial', rows: [row], open: async () => ({ sides: { product: side('product'), floor: side('floor') }, end }) };
}

async function resultOf(row: Row, effort: 'quick' | 'usual' | 'long' = 'usual'): Promise<{ result: RowResult; seen: string[] }> {
  const seen: string[] = [];
  const speeds = { product: [10, 40, 30], floor: [100, 50, 60] };
  const [result] = await runTrial(trialOf(speeds, row, seen), { directory: folder, effort, pairs: 3 });
  return { result: result!, seen };
}

describe('a trial of the bench', () => {
  it('lets its sides take turns, each time another one first, and ends them', async () => {
    const { seen } = await resultOf(ROW);
    expect(seen).toEqual(['product', 'floor', 'floor', 'product', 'product', 'floor', 'end']);
  });

  it('says the median of the figures, and of the ratios within the pairs', async () => {
    const { result } = await resultOf(ROW);
    expect(result.product.value).toBe(30);
    expect(result.floorResult?.value).toBe(60);
    expect(result.ratio).toBe(0.5); // of 0.1, 0.8 and 0.5
  });

  it('says the worst turn of a peak of memory', async () => {
    const { result } = await resultOf({ ...ROW, unit: 'peak, MB' });
    expect(result.product.value).toBeCloseTo(40 * 1.048576);
  });

  it.each([
    [{ of: 'ratio', least: 0.5 }, true],
    [{ of: 'ratio', least: 0.51 }, false],
    [{ of: 'ratio', most: 0.49 }, false],
    [{ of: 'value', least: 30 }, true],
    [{ of: 'value', most: 29 }, false],
  ] as const)('judges the goal %j', async (goal, isReached) => {
    expect((await resultOf({ ...ROW, goal })).result.isReached).toBe(isReached);
  });

  it('judges no goal by sizes that are smaller than it names', async () => {
    expect((await resultOf({ ...ROW, goal: { of: 'value', least: 1 } }, 'quick')).result).not.toHaveProperty('isReached');
    const goal = { of: 'value', least: 1, isOfLong: true } as const;
    expect((await resultOf({ ...ROW, goal })).result).not.toHaveProperty('isReached');
    expect((await resultOf({ ...ROW, goal }, 'long')).result.isReached).toBe(true);
  });
});

describe('the sealed floor', () => {
  let child: ChildProcess;
  let url: string;

  beforeAll(async () => {
    child = spawn(process.execPath, ['bench/floor/bare-server.ts', 'sealed', folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [port] = (await once(child.stdout!, 'data')) as [Buffer];
    url = `http://127.0.0.1:${Number(port)}/files`;
  });

  afterAll(async () => {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  });

  it.each([1, 4096, 65_503, 65_504, 65_505, 1_048_064, 1_048_065, 3_144_192])(
    'gives %d bytes back, whole and in ranges, and keeps two copies, sealed',
    async (size) => {
      const body = randomBytes(size);
      const { id } = (await (await fetch(url, { method: 'PUT', body })).json()) as { id: string };
      const got = async (range?: string): Promise<Buffer> =>
        Buffer.from(await (await fetch(`${url}/${id}`, range === undefined ? {} : { headers: { range } })).arrayBuffer());
      expect(body.equals(await got())).toBe(true);
      for (const [from, to] of [
        [0, 0],
        [Math.floor(size / 3), size - 1],
        [Math.floor(size / 2), Math.min(size - 1, Math.floor(size / 2) + 65_535)],
      ] as const)
        expect(body.subarray(from, to + 1).equals(await got(`bytes=${from}-${to}`))).toBe(true);
      const copies = await Promise.all(['copy_0', 'copy_1'].map((copy) => kept(join(folder, copy), id)));
      expect(copies[0]!.length).toBeGreaterThan(size);
      expect(copies[0]!.equals(copies[1]!)).toBe(true);
      if (size > 64) expect(copies[0]!.includes(body.subarray(0, 64))).toBe(false);
      expect((await fetch(`${url}/${id}`, { method: 'DELETE' })).status).toBe(204);
    },
  );
});

/** What a copy holds of a file: its slices, or the whole log. */
async function kept(directory: string, id: string): Promise<Buffer> {
  const slices = (await readdir(directory)).filter((name) => name.startsWith(`${id}-`));
  const names = slices.length === 0 ? ['log'] : slices.sort((a, b) => Number(a.split('-')[1]) - Number(b.split('-')[1]));
  return Buffer.concat(await Promise.all(names.map((name) => readFile(join(directory, name)))));
}

describe('npm run bench', () => {
  const bench = (...args: readonly string[]): ReturnType<typeof run> =>
    run(process.execPath, [
      'bench/run.ts',
      '--quick',
      '--pairs',
      '1',
      '--directory',
      folder,
      '--results',
      join(folder, 'results'),
      ...args,
    ]);

  it('measures rows beside their floors, and writes table, figures and picture', async () => {
    const { stdout } = await bench('--only', 'small-1-put,file-size-1024');
    const results = join(folder, 'results');
    const [table, figures, picture] = await Promise.all(
      ['bench.md', 'bench.json', 'bench.svg'].map((name) => readFile(join(results, name), 'utf8')),
    );
    expect(stdout).toContain(table!);
    const { rows } = JSON.parse(figures!) as { rows: RowResult[] };
    expect(rows.map(({ name }) => name)).toEqual(['small-1-put', 'file-size-1024-put', 'file-size-1024-get']);
    for (const { title, product, floorResult, ratio } of rows) {
      for (const value of [product.value, product.cpuPerGiB, product.peakMiB, floorResult?.value, ratio])
        expect(value).toEqual(expect.any(Number));
      expect(ratio).toBeGreaterThan(0);
      expect(table).toContain(`| ${title} |`);
    }
    expect(picture).toContain('put 4 KiB, 1 client');
    expect(picture).toContain('Put and get by size of the file');
    expect(picture).not.toContain('NaN');
    expect((await readdir(folder)).filter((name) => name.startsWith('dcloud-'))).toEqual([]);
  });

  it('names the rows that there are when one is asked for that is not', async () => {
    await expect(bench('--only', 'nothing')).rejects.toMatchObject({ stderr: expect.stringContaining('large-1') });
  });
});
