import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { RegisterWorkload } from '../support/chaos/register-workload.js';
import { Random } from '../support/crash/random.js';
import { Findings, type ViolationKind } from '../support/crash/violation.js';

/** Requests of the load, enough for each kind of lie to be told, and to be seen. */
const LOAD = 400;

interface Version {
  readonly etag: string;
  readonly bytes: Buffer;
}

/** One file in memory, right by itself; a test makes it lie. */
class FakeFile {
  readonly versions: Version[] = [];
  /** What a reader gets. */
  read: () => Version | number = () => this.versions.at(-1) ?? 404;
  /** What becomes of a write; false: it is acknowledged and forgotten. */
  keeps: () => boolean = () => true;
  checksEtags = true;
  /** A connection that breaks, before or after the change was made. */
  breaks: () => boolean = () => false;
  requests = 0;
  private readonly server: Server = createServer((request, response) => {
    const { method, headers } = request;
    this.requests += 1;
    void Array.fromAsync(request as AsyncIterable<Buffer>).then(async (pieces) => {
      await sleep(Math.random() * 5);
      if (this.breaks()) return response.destroy();
      if (method === 'GET') {
        const seen = this.read();
        return typeof seen === 'number'
          ? response.writeHead(seen).end()
          : response.writeHead(200, { etag: seen.etag }).end(seen.bytes);
      }
      const etag = `"${this.versions.length}"`;
      const expected = headers['if-match'];
      if (this.checksEtags && expected !== undefined && expected !== this.versions.at(-1)?.etag)
        return response.writeHead(412).end();
      if (this.keeps()) this.versions.push({ etag, bytes: Buffer.concat(pieces) });
      if (this.breaks()) return response.destroy();
      return response.writeHead(201).end(JSON.stringify({ id: 'register', etag }));
    });
  });

  async listen(): Promise<string> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

let file: FakeFile;

afterEach(() => file.close());

/** What is found in a file that lies from the moment on at which there is some load on it. */
async function found(lie: (file: FakeFile) => void): Promise<readonly ViolationKind[]> {
  file = new FakeFile();
  const findings = new Findings();
  const shape = { registers: 1, writers: 2, readers: 2, answerMsMax: 2000, pauseMsMax: 10 };
  const load = new RegisterWorkload({ url: await file.listen(), random: new Random(1), findings, shape });
  await load.create();
  const running = load.run();
  while (file.requests < LOAD / 2) await sleep(10);
  lie(file);
  while (file.requests < LOAD) await sleep(10);
  load.stop();
  await running;
  Object.assign(file, { breaks: () => false });
  expect(await load.check()).toBeGreaterThan(20);
  return [...new Set(findings.violations.map(({ kind }) => kind))];
}

describe('the load on registers', () => {
  it('finds nothing in one that is right, even if half of the connections break', async () => {
    expect(await found(() => undefined)).toEqual([]);
    file.close();
    expect(await found((right) => (right.breaks = () => Math.random() < 0.25))).toEqual([]);
  });

  it.each<[string, ViolationKind, (file: FakeFile) => void]>([
    ['reads from before the last change', 'stale', (lying) => (lying.read = () => lying.versions.at(-2) ?? 404)],
    ['a change that is acknowledged and forgotten', 'stale', (lying) => (lying.keeps = () => Math.random() < 0.8)],
    ['conditions that are not kept', 'stale', (lying) => (lying.checksEtags = false)],
    [
      'a file that is not there for a moment',
      'lost',
      (lying) => (lying.read = () => (Math.random() < 0.2 ? 404 : lying.versions.at(-1)!)),
    ],
    ['a refusal without a reason', 'failed-request', (lying) => (lying.read = () => 400)],
    [
      'bytes of two versions',
      'mixed',
      (lying) =>
        (lying.read = () => {
          const [other, last] = lying.versions.slice(-2) as [Version, Version];
          const half = Math.floor(last.bytes.length / 128) * 64;
          return { ...last, bytes: Buffer.concat([last.bytes.subarray(0, half), other.bytes.subarray(half)]) };
        }),
    ],
    [
      'the half of a file',
      'truncated',
      (lying) =>
        (lying.read = () => {
          const last = lying.versions.at(-1)!;
          return { ...last, bytes: last.bytes.subarray(0, last.bytes.length / 2) };
        }),
    ],
    ['one ETag for two contents', 'mixed', (lying) => (lying.read = () => ({ ...lying.versions.at(-1)!, etag: '"0"' }))],
  ])('finds %s', async (_, kind, lie) => {
    expect(await found(lie)).toContain(kind);
  });
});
