import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Client, type FileJson } from '../support/client.js';
import { Checker } from '../support/crash/checker.js';
import { bytesOf, type FileState, Journal, type JournalFile, makeContent, sha256 } from '../support/crash/journal.js';
import { Random } from '../support/crash/random.js';
import { recordsOf, reportChanges } from '../support/crash/rebuild.js';
import { Findings } from '../support/crash/violation.js';
import { Workload } from '../support/crash/workload.js';

/** A file as the fake server has it: what it lists, and what it answers. */
interface FakeFile {
  record: FileJson;
  bytes: Buffer;
  status?: number;
  /** Ends the connection before the body is complete. */
  breaks?: boolean;
  contentType?: string;
  digest?: string;
  survives?: number;
}

/** A store in memory that speaks as much of the API as the harness does, is right by itself, and lies where a test tells it to. */
class FakeStore {
  readonly files = new Map<string, FakeFile>();
  /** What it lists beside its files, and what it does not list. */
  readonly alsoListed: FileJson[] = [];
  readonly unlisted = new Set<string>();
  /** Spoils what it has just taken, in the tests of the load. */
  spoil: (file: FakeFile, before: FakeFile | undefined) => void = () => undefined;
  private readonly server: Server = createServer(
    (request, response) => void this.answer(request, response).catch(() => response.destroy()),
  );
  private serial = 0;

  async listen(): Promise<string> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  put({ name, contentType, content }: FileState, id = this.nextId()): FakeFile {
    return this.store(id, { name, contentType, bytes: bytesOf(content) });
  }

  private nextId(): string {
    return `00000000-0000-7000-8000-${String((this.serial += 1)).padStart(12, '0')}`;
  }

  private store(id: string, { name, contentType, bytes }: { name: string; contentType: string; bytes: Buffer }): FakeFile {
    const before = this.files.get(id);
    const times = { versionId: id, etag: '"x"', createdAt: 'then', updatedAt: 'then' };
    const file: FakeFile = { record: { id, name, size: bytes.length, contentType, ...times }, bytes };
    this.files.set(id, file);
    this.spoil(file, before);
    return file;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://x');
    const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>));
    const id = url.pathname.split('/')[2] ?? '';
    const file = this.files.get(id);
    if (id === 'list') this.list(response);
    else if (request.method === 'PUT') this.take(request, response, { id, name: url.searchParams.get('name'), body });
    else if (file === undefined) response.writeHead(404).end();
    else if (request.method === 'GET' && url.pathname.endsWith('/info')) this.info(response, file);
    else if (request.method === 'GET') this.send(response, file);
    else {
      if (request.method === 'DELETE') this.files.delete(id);
      else Object.assign(file.record, JSON.parse(body.toString()));
      response.writeHead(request.method === 'DELETE' ? 204 : 200).end();
    }
  }

  private list(response: ServerResponse): void {
    const items = [...this.files.values()].map(({ record }) => record).filter((record) => !this.unlisted.has(record.id));
    response.end(JSON.stringify({ items: [...items, ...this.alsoListed], nextCursor: null }));
  }

  private info(response: ServerResponse, { record, survives }: FakeFile): void {
    response.end(JSON.stringify({ ...record, survives: survives ?? 1 }));
  }

  private take(
    request: IncomingMessage,
    response: ServerResponse,
    sent: { id: string; name: string | null; body: Buffer },
  ): void {
    const before = this.files.get(sent.id)?.record;
    const contentType = request.headers['content-type'] ?? before?.contentType ?? '';
    const id = sent.id === '' ? this.nextId() : sent.id;
    this.store(id, { name: sent.name ?? before?.name ?? '', contentType, bytes: sent.body });
    response.writeHead(before === undefined ? 201 : 200, { location: `/files/${id}` }).end('{}');
  }

  private send(response: ServerResponse, file: FakeFile): void {
    const { bytes, breaks, record } = file;
    const digest = `sha-256=:${Buffer.from(sha256(bytes), 'hex').toString('base64')}:`;
    response.writeHead(file.status ?? 200, {
      'content-type': file.contentType ?? record.contentType,
      'content-length': bytes.length + (breaks === true ? 1 : 0),
      'repr-digest': file.digest ?? digest,
    });
    if (breaks === true) response.write(bytes, () => response.destroy());
    else response.end(bytes);
  }
}

const NOW = { contentType: 'a/b', content: makeContent(1, 10_000) };
const BEFORE = { ...NOW, name: 'file', content: makeContent(2, 10_000) };

let store: FakeStore;
let url: string;
let journal: Journal;

beforeEach(async () => {
  store = new FakeStore();
  url = await store.listen();
  journal = new Journal();
});

afterEach(() => store.close());

/** A file whose upload was acknowledged. */
function acknowledge(state: FileState): { readonly file: JournalFile; readonly stored: FakeFile } {
  const stored = store.put(state);
  const { file, step } = journal.create(state);
  file.id = stored.record.id;
  journal.answer(file, step, 'done');
  return { file, stored };
}

/** A file whose second version was acknowledged. */
function acknowledgeReplaced(): FakeFile {
  const { file } = acknowledge(BEFORE);
  const state = { ...NOW, name: 'file' };
  journal.answer(file, journal.send(file, state), 'done');
  return store.put(state, file.id);
}

async function check(): Promise<readonly string[]> {
  const findings = new Findings();
  await new Checker(new Client(url), journal, findings).check();
  return findings.violations.map(({ kind }) => kind);
}

function flip(bytes: Buffer): Buffer {
  const flipped = Buffer.from(bytes);
  flipped[5000]! ^= 1;
  return flipped;
}

describe('the checker finds nothing', () => {
  it('in a store that has all that was acknowledged and nothing else, however often it looks', async () => {
    acknowledge({ ...NOW, name: 'one' });
    acknowledge({ ...NOW, name: 'empty', content: makeContent(3, 0) });
    acknowledgeReplaced();
    const { file, stored } = acknowledge({ ...NOW, name: 'gone' });
    journal.answer(file, journal.send(file, null), 'done');
    store.files.delete(stored.record.id);
    expect([await check(), await check()]).toEqual([[], []]);
  });

  it.each([true, false])('in what was under way, whether it happened (%s) or not', async (happened) => {
    const creating = { ...NOW, name: 'creating' };
    journal.answer(...stepOf(journal.create(creating)), 'unknown');
    const { file: replaced } = acknowledge({ ...NOW, name: 'replaced' });
    journal.send(replaced, { ...BEFORE, name: 'replaced' });
    const { file: renamed } = acknowledge({ ...NOW, name: 'old' });
    journal.send(renamed, { ...NOW, name: 'new' });
    const { file: removed } = acknowledge({ ...NOW, name: 'removed' });
    journal.send(removed, null);
    if (happened) {
      store.put(creating);
      store.put({ ...BEFORE, name: 'replaced' }, replaced.id);
      store.put({ ...NOW, name: 'new' }, renamed.id);
      store.files.delete(removed.id!);
    }
    expect([await check(), await check()]).toEqual([[], []]);
    expect(journal.files.size).toBe(3);
    expect(journal.uncertain).toBe(0);
  });
});

function stepOf({ file, step }: ReturnType<Journal['create']>): [JournalFile, typeof step] {
  return [file, step];
}

describe('the checker finds', () => {
  const lies: Readonly<Record<string, readonly [string, (file: FakeFile) => void]>> = {
    'a file that is not there': ['lost', ({ record }) => store.files.delete(record.id)],
    'a file that is there and not listed': ['lost', ({ record }) => store.unlisted.add(record.id)],
    'a file that is listed and not there': [
      'lost',
      ({ record }) => {
        store.files.delete(record.id);
        store.alsoListed.push(record);
      },
    ],
    'a file that is listed twice': ['listed-twice', ({ record }) => store.alsoListed.push(record)],
    'a file that nobody sent': ['unknown', () => store.put({ ...NOW, name: 'whose?' })],
    'an answer with an error': ['unreadable', (file) => (file.status = 500)],
    'a body that breaks': ['unreadable', (file) => (file.breaks = true)],
    'a body that is too short and looks complete': ['truncated', (file) => (file.bytes = file.bytes.subarray(0, 9999))],
    'a body without a byte': ['truncated', (file) => (file.bytes = Buffer.alloc(0))],
    'one bit': ['wrong-bytes', (file) => (file.bytes = flip(file.bytes))],
    'a body that is too long': ['wrong-bytes', (file) => (file.bytes = Buffer.concat([file.bytes, Buffer.from('x')]))],
    'half of the old version before half of the new': [
      'mixed',
      (file) => (file.bytes = Buffer.concat([bytesOf(BEFORE.content).subarray(0, 4096), file.bytes.subarray(4096)])),
    ],
    'the old version': ['mixed', (file) => (file.bytes = bytesOf(BEFORE.content))],
    'another name': ['wrong-name', (file) => (file.record = { ...file.record, name: 'other' })],
    'another type in the answer': ['wrong-type', (file) => (file.contentType = 'x/y')],
    'another type in the list': [
      'wrong-type',
      (file) => {
        file.contentType = file.record.contentType;
        file.record = { ...file.record, contentType: 'x/y' };
      },
    ],
    'another size': ['wrong-size', (file) => (file.record = { ...file.record, size: 1 })],
    'another digest': ['wrong-digest', (file) => (file.digest = 'sha-256=:AAAA:')],
  };

  it.each(Object.entries(lies))('%s', async (_what, [kind, lie]) => {
    lie(acknowledgeReplaced());
    expect(await check()).toEqual([kind]);
  });

  it('what was deleted, in the list or behind its address', async () => {
    const { file, stored } = acknowledge({ ...NOW, name: 'gone' });
    journal.answer(file, journal.send(file, null), 'done');
    store.unlisted.add(stored.record.id);
    expect(await check()).toEqual(['resurrected']);
    store.unlisted.clear();
    expect(await check()).toEqual(['resurrected', 'resurrected']);
  });

  it('what was not there after one crash, and is after the next', async () => {
    const state = { ...NOW, name: 'undead' };
    journal.create(state);
    expect(await check()).toEqual([]);
    store.put(state);
    expect(await check()).toEqual(['resurrected']);
  });

  it('a version that was there after one crash, and is the old one after the next', async () => {
    const { file } = acknowledge(BEFORE);
    journal.send(file, { ...NOW, name: 'file' });
    store.put({ ...NOW, name: 'file' }, file.id);
    expect(await check()).toEqual([]);
    store.put(BEFORE, file.id);
    expect(await check()).toEqual(['mixed']);
  });

  it('a write that was refused or broken off, and happened', async () => {
    const { file } = acknowledge(BEFORE);
    journal.answer(file, journal.send(file, { ...NOW, name: 'file' }), 'refused');
    store.put({ ...NOW, name: 'file' }, file.id);
    expect(await check()).toEqual(['mixed']);
  });

  it('mixed versions of what was under way', async () => {
    const { file, stored } = acknowledge(BEFORE);
    journal.send(file, { ...NOW, name: 'file' });
    stored.bytes = Buffer.concat([stored.bytes.subarray(0, 1024), bytesOf(NOW.content).subarray(1024)]);
    expect(await check()).toEqual(['mixed']);
  });

  it('too few copies', async () => {
    const { file, stored } = acknowledge({ ...NOW, name: 'x' });
    stored.survives = 0;
    const findings = new Findings();
    await new Checker(new Client(url), journal, findings).checkCopies([file], 1, 0);
    expect(findings.violations).toMatchObject([{ kind: 'thin' }]);
  });

  it('a record that is another one after a rebuild, or lost, or new', async () => {
    const one = acknowledge({ ...NOW, name: 'one' }).stored;
    const two = acknowledge({ ...NOW, name: 'two' }).stored;
    const before = await recordsOf({ url });
    const findings = new Findings();
    reportChanges(before, await recordsOf({ url }), findings);
    expect(findings.violations).toEqual([]);
    one.record = { ...one.record, updatedAt: 'now' };
    store.files.delete(two.record.id);
    store.put({ ...NOW, name: 'three' });
    reportChanges(before, await recordsOf({ url }), findings);
    expect(findings.violations.map(({ kind }) => kind)).toEqual(['changed-record', 'lost', 'resurrected']);
  });
});

describe('the load', () => {
  /** Some hundred operations against the fake, which spoils what it takes. */
  async function load(spoil: FakeStore['spoil']): Promise<ReadonlySet<string>> {
    store.spoil = spoil;
    const findings = new Findings();
    const shape = { clients: 4, filesMax: 20, largeBytesMax: 110_000 };
    const counted = { acknowledged: 0 };
    const workload: Workload = new Workload({
      url,
      journal,
      findings,
      random: new Random(7),
      shape,
      onAcknowledged: () => {
        counted.acknowledged += 1;
        if (counted.acknowledged === 250) workload.stop('nothing');
      },
    });
    await workload.run();
    await new Checker(new Client(url), journal, findings).check();
    return new Set(findings.violations.map(({ kind }) => kind));
  }

  it('and the check after it find nothing in a store that is right', async () => {
    expect([...(await load(() => undefined))]).toEqual([]);
    expect(journal.gone.size).toBeGreaterThan(10);
  });

  it('finds wrong bytes, answers that break, and errors while it runs', async () => {
    expect(await load((file) => (file.bytes = file.bytes.subarray(0, -1)))).toContain('truncated');
    expect(await load((file) => (file.breaks = true))).toContain('failed-request');
    expect(await load((file) => (file.status = 500))).toContain('failed-request');
  });

  it('finds a list that forgets', async () => {
    expect(await load(({ record }) => void store.unlisted.add(record.id))).toContain('lost');
  });
});
