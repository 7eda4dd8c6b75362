import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { freePortRow } from '../support/free-port.js';
import { eventually } from '../support/members.js';

const PEERS = 4;
const START_MS_MAX = 60_000;
const ANSWER_MS_MAX = 15_000;

let directory: string;
let first: number;
let cluster: ChildProcess;
let output: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dcloud-try-'));
  first = await freePortRow(PEERS);
  output = '';
  const args = ['--disable-warning=ExperimentalWarning', 'scripts/cluster.ts', '--port', String(first), '--directory', directory];
  cluster = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  // eslint-disable-next-line no-restricted-syntax -- the output of a process under test is only looked at
  cluster.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
});

afterEach(async () => {
  if (cluster.exitCode === null) {
    cluster.kill('SIGTERM');
    await once(cluster, 'exit');
  }
  await rm(directory, { recursive: true });
});

function url(node: number): string {
  return `http://127.0.0.1:${first + node - 1}`;
}

async function answer(node: number, path: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(`${url(node)}${path}`, { ...init, signal: AbortSignal.timeout(ANSWER_MS_MAX) });
  expect([path, response.ok]).toEqual([path, true]);
  return response;
}

async function isReady(node: number): Promise<boolean> {
  return (await fetch(`${url(node)}/health/ready`).catch(() => undefined))?.ok === true;
}

function pidOf(node: number): number {
  return Number(new RegExp(`node ${node} is process (\\d+)`).exec(output)?.[1]);
}

describe('npm run cluster', () => {
  it('starts four processes, of which any may die, and ends them all when it is ended', async () => {
    for (const node of [1, 2, 3, 4]) await eventually(() => isReady(node), START_MS_MAX);
    const { id } = (await (await answer(2, '/files?name=try', { method: 'PUT', body: 'of four' })).json()) as {
      readonly id: string;
    };

    process.kill(pidOf(3), 'SIGKILL');
    await eventually(() => output.includes('node 3 has ended'));
    for (const node of [1, 2, 4]) expect(await (await answer(node, `/files/${id}`)).text()).toBe('of four');

    cluster.kill('SIGTERM');
    const [code] = (await once(cluster, 'exit')) as [number | null];
    expect(code).toBe(0);
    for (const node of [1, 2, 3, 4]) expect(() => process.kill(pidOf(node), 0)).toThrow('ESRCH');
  });
});
