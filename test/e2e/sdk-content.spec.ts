import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Drive, Download, Entry } from '../../src/sdk/drive-api.js';
import { MemoryStateStore } from '../../src/sdk/memory.state-store.js';
import { NodeFileStateStore } from '../../src/sdk/node-file.state-store.js';
import { NodeFileSource } from '../../src/sdk/node-file-source.js';
import type { Progress } from '../../src/sdk/progress.js';
import { sourceOfBlob, sourceOfBytes, sourceOfStream } from '../../src/sdk/source.js';
import type { StateStore } from '../../src/sdk/state-store.js';
import { failureOf, stream } from '../support/e2ee-world.js';
import { SdkServer, TamperedNet, cut } from '../support/sdk-server.js';

const SEGMENT = 65_504;
const PART = 256 * SEGMENT;

/** A client as a program of its own. */
const UPLOADER = `
  const sdk = '${pathToFileURL(join(process.cwd(), 'dist/sdk')).href}/';
  const { connect } = await import(sdk + 'connect.js');
  const { nodeFloe } = await import(sdk + 'node-floe-back-end.js');
  const { NodeFileStateStore } = await import(sdk + 'node-file.state-store.js');
  const { NodeFileSource } = await import(sdk + 'node-file-source.js');
  const [url, folder, path] = process.argv.slice(1);
  const state = new NodeFileStateStore(folder);
  const drive = await (await connect(url, { state, floe: nodeFloe })).resume();
  const source = await NodeFileSource.open(path);
  await drive.upload('/killed', source, { resume: state });
  await source.close();
  await drive.close();
`;

let world: SdkServer;
let drive: Drive;
let folder: string;
const net = new TamperedNet();

beforeAll(async () => {
  world = await SdkServer.start();
  drive = await world.join('ada', { fetch: net.fetch });
  folder = await mkdtemp(join(tmpdir(), 'sdk-content-'));
});

afterEach(() => net.honest());

afterAll(async () => {
  await world.remove();
  await rm(folder, { recursive: true });
});

async function bytesOf({ body }: Download): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(body));
}

async function read(path: string, options?: Parameters<Drive['download']>[1]): Promise<Buffer> {
  return bytesOf(await drive.download(path, options));
}

async function local(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

/** Small files in a new folder, all at once; what is counted of requests begins with them. */
async function uploadTogether(path: string, count: number, signal = new AbortController().signal): Promise<readonly Buffer[]> {
  await drive.mkdir(path);
  await drive.stat(path);
  const contents = Array.from({ length: count }, (_, at) => randomBytes(at * 50));
  net.requests.length = 0;
  await Promise.all(contents.map((content, at) => drive.upload(`${path}/${at}`, sourceOfBytes(content), { signal })));
  return contents;
}

async function uploadsMade(): Promise<number> {
  return net.requests.filter((request) => request === 'POST /drive/uploads').length;
}

const partsSent = (): string[] => net.requests.filter((request) => request.startsWith('PUT /drive/uploads/'));

describe('a content', () => {
  it('comes back as it went, at every border of segments and parts', async () => {
    const sizes = [0, 1, 255, 256, 257, 49_120, 49_121, 60_000, SEGMENT - 1, SEGMENT, SEGMENT + 1, PART - 1, PART, PART + 1];
    for (const size of sizes) {
      const plain = randomBytes(size);
      const entry = await drive.upload(`/border-${size}`, sourceOfBytes(plain), { mediaType: 'a/b' });
      expect(entry).toMatchObject({ size, kind: 'file', mediaType: 'a/b', revision: 1, path: `/border-${size}` });
      expect((await read(entry.path)).equals(plain)).toBe(true);
      await drive.remove(entry.path);
    }
  });

  it('of a stream comes back as it went, and its padding may fill a part of its own', async () => {
    for (const size of [0, 49_152, 49_153, PART, 2 * PART, 2 * PART + 77]) {
      const plain = randomBytes(size);
      const pieces = Array.from({ length: Math.ceil(size / 700_001) }, (_, at) =>
        plain.subarray(at * 700_001, (at + 1) * 700_001),
      );
      const entry = await drive.upload('/stream', sourceOfStream(stream(...pieces)));
      expect(entry.size).toBe(size);
      expect((await read('/stream')).equals(plain)).toBe(true);
    }
    await drive.remove('/stream');
  });

  it('is read in any range', async () => {
    const plain = randomBytes(PART + 3 * SEGMENT + 1_000);
    await drive.upload('/ranges', sourceOfBlob(new Blob([plain])));
    const borders = [0, SEGMENT, PART - SEGMENT, PART, PART + SEGMENT, plain.length];
    const near = fc.tuple(fc.constantFrom(...borders), fc.integer({ min: -3, max: 3 })).map(([at, by]) => Math.max(0, at + by));
    const position = fc.oneof(near, fc.nat(plain.length + 10));
    await fc.assert(
      fc.asyncProperty(position, position, async (one, other) => {
        const [from, to] = [Math.min(one, other), Math.max(one, other)];
        const download = await drive.download('/ranges', { from, to });
        const bytes = await bytesOf(download);
        expect(bytes.equals(plain.subarray(from, to))).toBe(true);
        expect(download.size).toBe(bytes.length);
        expect(download.entry.size).toBe(plain.length);
      }),
      { numRuns: 15 },
    );
    await drive.remove('/ranges');
  });

  it('of a small file goes in one request', async () => {
    await drive.mkdir('/small');
    await drive.upload('/small/first', sourceOfBytes(randomBytes(10)));
    net.requests.length = 0;
    await Promise.all(Array.from({ length: 50 }, (_, at) => drive.upload(`/small/${at}`, sourceOfBytes(randomBytes(4_096)))));
    expect(net.requests.filter((request) => request === 'POST /drive/nodes')).toHaveLength(50);
    expect(net.requests.length).toBeLessThan(60);
  });

  it('of small files that one signal can break off goes in few requests', async () => {
    const contents = await uploadTogether('/together', 50);
    const made = net.requests.filter((request) => request.startsWith('POST /drive/nodes'));
    expect(made.length).toBeLessThan(10);
    for (const [at, content] of contents.entries()) expect((await read(`/together/${at}`)).equals(content)).toBe(true);
    expect(await Array.fromAsync(drive.list('/together'))).toHaveLength(50);
  });

  it('of small files is there once if the answer to many of them was lost', async () => {
    let lost = 0;
    net.answer = ({ path }, response) => {
      if (path !== '/drive/nodes/batch' || (lost += 1) > 1) return response;
      throw new TypeError('terminated');
    };
    const contents = await uploadTogether('/doubtful', 30);
    expect(lost).toBeGreaterThan(0);
    net.honest();
    expect(await Array.fromAsync(drive.list('/doubtful'))).toHaveLength(30);
    for (const [at, content] of contents.entries()) expect((await read(`/doubtful/${at}`)).equals(content)).toBe(true);
  });

  it('of small files is broken off by its signal', async () => {
    const ended = new AbortController();
    net.before = ({ path }) => {
      if (path === '/drive/nodes/batch') ended.abort(new Error('enough'));
    };
    await expect(uploadTogether('/broken-off', 20, ended.signal)).rejects.toThrow('enough');
  });

  it('tells how far it is', async () => {
    const seen: Progress[] = [];
    const onProgress = (progress: Progress): number => seen.push(progress);
    await drive.upload('/progress', sourceOfBytes(randomBytes(3 * PART)), { onProgress });
    expect(seen.at(-1)).toMatchObject({ sentBytes: 3 * PART, totalBytes: 3 * PART, secondsLeft: 0 });
    expect(seen.length).toBeGreaterThan(1);
    await bytesOf(await drive.download('/progress', { onProgress }));
    expect(seen.at(-1)).toMatchObject({ sentBytes: 3 * PART, totalBytes: 3 * PART, secondsLeft: 0 });
    await drive.remove('/progress');
  });
});

describe('a file', () => {
  it('keeps its revisions, and gets one back without an upload', async () => {
    const [first, second] = [randomBytes(5_000), randomBytes(100_000)];
    const changedAt = new Date(1_600_000_000_000);
    const made = await drive.upload('/kept', sourceOfBytes(first), { changedAt });
    const again = await drive.upload('/kept', sourceOfBytes(second), { changedAt: new Date(1_700_000_000_000) });
    expect([made.id === again.id, again.revision, again.changedAt.getTime()]).toEqual([true, 2, 1_700_000_000_000]);
    expect(await failureOf(drive.upload('/kept', sourceOfBytes(first), { replace: false }))).toBe('exists');
    expect((await read('/kept', { revision: 1 })).equals(first)).toBe(true);
    net.requests.length = 0;
    expect(await drive.restore('/kept', 1)).toMatchObject({ revision: 3, size: 5_000 });
    expect(partsSent()).toEqual([]);
    expect((await read('/kept')).equals(first)).toBe(true);
    const history = await Array.fromAsync(drive.history('/kept'));
    expect(history.map(({ revision, size }) => [revision, size])).toEqual([
      [3, 5_000],
      [2, 100_000],
      [1, 5_000],
    ]);
    expect(history[0]).toMatchObject({ writer: drive.account.id, revisionId: history[2]!.revisionId });
    expect(await failureOf(drive.restore('/kept', 9))).toBe('not-found');
  });

  it('is not visible after an abort, and nothing of it stays', async () => {
    const ended = new AbortController();
    let uploadId = '';
    net.before = ({ method, path }) => {
      if (method !== 'PUT') return;
      uploadId = path.split('/')[3]!;
      if (path.endsWith('/2')) ended.abort();
    };
    const call = drive.upload('/aborted', sourceOfBytes(randomBytes(4 * PART)), { signal: ended.signal });
    await expect(call).rejects.toThrow('aborted');
    net.honest();
    expect(await failureOf(drive.stat('/aborted'))).toBe('not-found');
    expect(net.requests).toContain(`DELETE /drive/uploads/${uploadId}`);
  });

  it('that changes while it is read is refused, and nothing of it is visible', async () => {
    const path = await local('changing', randomBytes(2 * PART));
    const source = await NodeFileSource.open(path);
    net.before = async ({ method, path: at }) => {
      if (method === 'PUT' && at.endsWith('/parts/0')) await appendFile(path, 'more');
    };
    expect(await failureOf(drive.upload('/changing', source))).toBe('source-changed');
    await source.close();
    expect(await failureOf(drive.stat('/changing'))).toBe('not-found');
    const shrunk = await NodeFileSource.open(path);
    await truncate(path, 10);
    expect(await failureOf(drive.upload('/changing', shrunk))).toBe('source-changed');
    await shrunk.close();
  });
});

describe('an upload that broke off', () => {
  const TURNED = '/turned';

  async function upload(path: string, resume: StateStore, to = '/resumed'): Promise<Entry> {
    const source = await NodeFileSource.open(path);
    try {
      return await drive.upload(to, source, { resume });
    } finally {
      await source.close();
    }
  }

  let plain: Buffer;
  let paths: Record<'whole' | 'other' | 'turned', string>;
  const resume = { whole: new MemoryStateStore(), other: new MemoryStateStore(), turned: new MemoryStateStore() };
  const states: Uint8Array[] = [];
  const tampered: StateStore = {
    get: (name) => resume.turned.get(name),
    set: async (name, bytes) => {
      states.push(bytes);
      const turned = Uint8Array.from(bytes);
      turned[turned.length - 1]! ^= 1;
      await resume.turned.set(name, turned);
    },
    delete: (name) => resume.turned.delete(name),
  };

  /** All of them at once: each tries for some seconds before it gives up. */
  beforeAll(async () => {
    plain = randomBytes(5 * PART);
    const [whole, other, turned] = [plain, randomBytes(3 * PART), randomBytes(3 * PART)];
    paths = {
      whole: await local('resumed', whole),
      other: await local('other', other),
      turned: await local('turned', turned),
    };
    net.before = ({ method, path }) => {
      if (method === 'PUT' && Number(path.split('/').at(-1)) >= 2) throw new TypeError('fetch failed');
    };
    const uploads = [
      upload(paths.whole, resume.whole),
      upload(paths.other, resume.other, '/other'),
      upload(paths.turned, tampered, TURNED),
    ];
    expect(await Promise.all(uploads.map((one) => failureOf(one)))).toEqual(['unavailable', 'unavailable', 'unavailable']);
    net.honest();
  });

  it('goes on with the parts that are missing', async () => {
    net.requests.length = 0;
    expect(await upload(paths.whole, resume.whole)).toMatchObject({ size: 5 * PART, revision: 1 });
    const sent = partsSent().map((request) => Number(request.split('/').at(-1)));
    // Some are on their way at once, in whatever order they are sealed.
    expect(sent.toSorted((one, other) => one - other)).toEqual([2, 3, 4, 5, 6].slice(0, sent.length));
    expect(await uploadsMade()).toBe(0);
    expect((await read('/resumed')).equals(plain)).toBe(true);
    await drive.remove('/resumed');
  });

  it('begins anew, under another key, if the local file is another one or the state was changed', async () => {
    const changed = randomBytes(3 * PART);
    await writeFile(paths.other, changed);
    net.requests.length = 0;
    await upload(paths.other, resume.other, '/other');
    expect(await uploadsMade()).toBe(1);
    expect(partsSent().length).toBeGreaterThanOrEqual(3);
    expect((await read('/other')).equals(changed)).toBe(true);
    await drive.remove('/other');

    expect(states.length).toBeGreaterThan(0);
    net.requests.length = 0;
    await upload(paths.turned, resume.turned, TURNED);
    expect(await uploadsMade()).toBe(1);
    expect((await read(TURNED)).equals(await readFile(paths.turned))).toBe(true);
    await drive.remove(TURNED);
  });

  it('is done if only the answer was lost', async () => {
    const path = await local('lost', randomBytes(2 * PART));
    let lost = 0;
    net.answer = ({ method, path: at }, response) => {
      if (method !== 'POST' || at !== '/drive/nodes' || lost > 0) return response;
      lost += 1;
      throw new TypeError('terminated');
    };
    expect(await upload(path, new MemoryStateStore())).toMatchObject({ size: 2 * PART, revision: 1 });
    expect(lost).toBe(1);
    await drive.remove('/resumed');
  });
});

it('a client that was killed goes on in another process, with what it kept on its disk', async () => {
  const plain = randomBytes(6 * PART);
  const path = await local('killed', plain);
  const state = join(folder, 'state');
  const device = await world.login('ada', { state: new NodeFileStateStore(state) });
  await device.close();
  const run = (): ChildProcess =>
    spawn(process.execPath, ['--input-type=module', '-e', UPLOADER, world.server.url, state, path], { stdio: 'inherit' });
  const child = run();
  const sent = async (): Promise<number> => (await readdir(state)).filter((name) => name.startsWith('upload-')).length;
  while ((await sent()) === 0 && child.exitCode === null) await sleep(20);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await failureOf(drive.stat('/killed'))).toBe('not-found');
  expect(await once(run(), 'exit')).toEqual([0, null]);
  expect((await read('/killed')).equals(plain)).toBe(true);
  expect(await sent()).toBe(0);
  await drive.remove('/killed');
});

describe('a download through a bad network', () => {
  it('goes on at the segment where a body broke off', async () => {
    const plain = randomBytes(PART + 5 * SEGMENT);
    await drive.upload('/broken', sourceOfBytes(plain));
    let breaks = 0;
    net.answer = ({ path }, response) => {
      if (!path.includes('/parts/') || breaks >= 6) return response;
      breaks += 1;
      return cut(response, 3 * 65_536 + 1_000, 'broken');
    };
    expect((await read('/broken')).equals(plain)).toBe(true);
    expect(breaks).toBe(6);
  });

  it('is an error, and never short, if bodies end early or bits are turned', async () => {
    net.answer = ({ path }, response) => (path.includes('/parts/') ? cut(response, 70_000, 'ended') : response);
    expect(await failureOf(read('/broken'))).toBe('damaged');
    net.answer = async ({ path }, response) => {
      if (!path.includes('/parts/1')) return response;
      const bytes = new Uint8Array(await response.arrayBuffer());
      bytes[bytes.length - 1]! ^= 1;
      return new Response(bytes, { status: response.status });
    };
    const { body } = await drive.download('/broken');
    const pieces: Uint8Array[] = [];
    const reading = async (): Promise<void> => {
      for await (const piece of body) pieces.push(piece);
    };
    expect(await failureOf(reading())).toBe('damaged');
    expect(Buffer.concat(pieces).length).toBeGreaterThanOrEqual(PART);
  });

  it('stops when nobody reads on', async () => {
    const { body } = await drive.download('/broken');
    for await (const piece of body) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    await drive.remove('/broken');
  });
});

it('real files of the system come back as they are, 200 MiB too', async () => {
  const large = await local('large', Buffer.alloc(200 * 2 ** 20, 'all work and no play '));
  for (const path of [process.execPath, large]) {
    const source = await NodeFileSource.open(path);
    await drive.upload('/real', source);
    await source.close();
    const hash = createHash('sha256');
    const { body, size } = await drive.download('/real');
    for await (const piece of body) hash.update(piece);
    const original = createHash('sha256');
    const again = await NodeFileSource.open(path);
    for await (const piece of again.read(0, again.size)) original.update(piece);
    await again.close();
    expect([size, hash.digest('hex')]).toEqual([source.size, original.digest('hex')]);
  }
  await drive.remove('/real');
});
