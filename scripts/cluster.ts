/**
 * `npm run cluster`: four peers as four processes, for a try, by `config/cluster.json`. Ctrl-C ends all of them; each can be killed by itself.
 * Options: `--port N` (5000: the first of four ports in a row), `--directory DIR` (./data-cluster).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { parseArgs } from 'node:util';

const PEERS = 4;
const { values } = parseArgs({ options: { port: { type: 'string', default: '5000' }, directory: { type: 'string' } } });

const peers = Array.from({ length: PEERS }, (_, at) => `http://127.0.0.1:${Number(values.port) + at}`);
const environment: Record<string, string> = { DCLOUD_PEERS: JSON.stringify(peers) };
if (values.directory !== undefined) environment['DCLOUD_STORAGE_DIRECTORY'] = resolve(values.directory);

const children = peers.map((_, at) => start(at + 1));
// A terminal sends Ctrl-C to the processes as well; each takes the second one for the echo that it is.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => children.forEach((child) => child.kill(signal)));
const codes = await Promise.all(children.map(ended));
if (codes.some((code) => code !== 0)) process.exitCode = 1;

function start(node: number): ChildProcess {
  const args = ['bin/dcloud.mjs', 'serve', '--config', 'config/cluster.json', '--node', String(node)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment } });
  void say(node, child.stdout);
  void say(node, child.stderr);
  console.log(`node ${node} is process ${String(child.pid)}`);
  return child;
}

async function say(node: number, output: Readable): Promise<void> {
  for await (const line of createInterface({ input: output })) console.log(`[${node}] ${line}`);
}

async function ended(child: ChildProcess, at: number): Promise<number | null> {
  await once(child, 'close');
  console.log(`node ${at + 1} has ended`);
  return child.signalCode === null ? child.exitCode : 0;
}
