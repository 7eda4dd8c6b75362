import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from '../support/client.js';
import { TestServer } from '../support/server.js';

const COLLECTION = 'postman/DistributedCloud.postman_collection.json';
const NEWMAN = 'node_modules/newman/bin/newman.js';

interface CollectionJson {
  readonly item: readonly { readonly name: string }[];
}

/** What newman reports of a run. */
interface Report {
  readonly run: {
    readonly stats: Readonly<
      Record<'requests' | 'assertions', { readonly total: number; readonly pending: number; readonly failed: number }>
    >;
    readonly executions: readonly { readonly item: { readonly name: string }; readonly response?: unknown }[];
    readonly failures: readonly { readonly source: { readonly name: string }; readonly error: { readonly test?: string } }[];
  };
}

let server: TestServer;
let folder: string;

beforeAll(async () => {
  server = await TestServer.start();
  folder = await mkdtemp(join(tmpdir(), 'dcloud-postman-'));
});

afterAll(async () => {
  await server.remove();
  await rm(folder, { recursive: true });
});

/** Runs newman as a user would, in a process of its own: it is not made to be loaded by Jest. */
async function newman(collection: string): Promise<Report['run'] & { readonly exitCode: number | null }> {
  const report = join(folder, 'report.json');
  const output = ['--reporters', 'json', '--reporter-json-export', report];
  const input = ['--working-dir', 'postman', '--env-var', `baseUrl=${server.url}`];
  const child = spawn(process.execPath, ['--no-deprecation', NEWMAN, 'run', collection, ...input, ...output], {
    stdio: 'inherit',
  });
  await once(child, 'exit');
  return { ...(JSON.parse(await readFile(report, 'utf8')) as Report).run, exitCode: child.exitCode };
}

describe('the Postman collection', () => {
  it('runs from the first request to the last against a real server, and all its tests pass', async () => {
    const { item } = JSON.parse(await readFile(COLLECTION, 'utf8')) as CollectionJson;
    const { exitCode, executions, failures, stats } = await newman(COLLECTION);
    expect(failures).toEqual([]);
    expect(exitCode).toBe(0);
    expect(executions.filter(({ response }) => response !== undefined).map((entry) => entry.item.name)).toEqual(
      item.map(({ name }) => name),
    );
    expect(stats.requests).toEqual({ total: item.length, pending: 0, failed: 0 });
    expect(stats.assertions.failed).toBe(0);
    expect(stats.assertions.total).toBeGreaterThanOrEqual(item.length);
  });

  it('leaves nothing behind, so that it can be run again', async () => {
    expect(await new Client(server.url).listAll()).toEqual([]);
  });

  it('fails if a single answer is not what it must be', async () => {
    const right = await readFile(COLLECTION, 'utf8');
    const wrong = right.replace("to.include({ code: 'range-not-satisfiable'", "to.include({ code: 'another-code'");
    expect(wrong).not.toBe(right);
    const copy = join(folder, 'wrong.json');
    await writeFile(copy, wrong);
    const { exitCode, failures } = await newman(copy);
    expect(exitCode).toBe(1);
    expect(failures.map(({ source, error }) => [source.name, error.test])).toEqual([
      ['Get a part behind the end', 'is the problem range-not-satisfiable'],
    ]);
  });
});
