import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { SdkError, sourceOfBytes, type Drive } from '../../src/sdk/index.js';
import { MemoryStateStore } from '../../src/sdk/memory.state-store.js';
import { failureOf } from '../support/e2ee-world.js';
import { serving, telling, turned, type Json } from '../support/lies.js';
import { SdkServer, TamperedNet, rewritten } from '../support/sdk-server.js';

/** Contents, by the whole client and from a real server whose answers are exchanged on their way. */
const SEGMENT = 65_536;
const PLAIN_SEGMENT = 65_504;
/** Four segments in one part. */
const plain = randomBytes(3 * PLAIN_SEGMENT + 1_000);

let world: SdkServer;
let drive: Drive;
const net = new TamperedNet();

beforeAll(async () => {
  world = await SdkServer.start();
  drive = await world.join('ada', { fetch: net.fetch });
  await put('/file', plain);
  await put('/small', plain.subarray(0, 1_000));
});

afterEach(() => net.honest());

afterAll(async () => {
  await world.remove();
});

const put = (path: string, bytes: Uint8Array): Promise<unknown> => drive.upload(path, sourceOfBytes(bytes));

interface Reading {
  readonly bytes: Buffer;
  readonly failure: string | undefined;
}

/** What was given out, and what it ended with. */
async function read(path: string, options?: Parameters<Drive['download']>[1]): Promise<Reading> {
  const pieces: Uint8Array[] = [];
  const failure = await failureOf(async () => {
    for await (const piece of (await drive.download(path, options)).body) pieces.push(piece);
  });
  return { bytes: Buffer.concat(pieces), failure };
}

/** That nothing but what was uploaded is given out, and that its end is not missed. */
async function expectRefused(path: string, change: (sealed: Buffer) => Uint8Array): Promise<void> {
  net.answer = serving(change);
  const { bytes, failure } = await read(path);
  net.honest();
  expect(failure).toBe('damaged');
  expect(bytes.equals(plain.subarray(0, bytes.length))).toBe(true);
  expect(bytes.length).toBeLessThan(plain.length);
}

/** The sealed part of a file of one part, as the server has it. */
async function sealedPart(path: string, options?: Parameters<Drive['download']>[1]): Promise<Buffer> {
  let part: Buffer = Buffer.alloc(0);
  net.answer = serving((sealed) => (part = sealed));
  expect((await read(path, options)).failure).toBeUndefined();
  net.honest();
  return part;
}

const segment = (part: Buffer, at: number): Buffer => part.subarray(at * SEGMENT, (at + 1) * SEGMENT);

function flippedAt(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 1;
  return copy;
}

describe('attack 7 through the client: turned bits', () => {
  // Stands on the refusal of segments that do not authenticate (src/crypto/node-floe-opener.ts).
  it('in sealed parts are never given out, and what came before them is genuine', async () => {
    const { length } = await sealedPart('/file');
    for (const at of [0, 4, 16, SEGMENT - 1, SEGMENT + 20, 2 * SEGMENT, length - 1]) {
      net.answer = serving((sealed) => flippedAt(sealed, at));
      const { bytes, failure } = await read('/file');
      expect([at, failure]).toEqual([at, 'damaged']);
      expect(bytes.equals(plain.subarray(0, Math.floor(at / SEGMENT) * PLAIN_SEGMENT))).toBe(true);
    }
    net.answer = telling('content', (of) =>
      typeof of['content'] === 'string' ? { ...of, content: turned(of['content'], 40) } : of,
    );
    expect(await read('/small')).toEqual({ bytes: Buffer.alloc(0), failure: 'damaged' });
  });

  // Stands on the signatures of record and manifest (src/sdk/drive-record.ts, src/sdk/revision-manifest.ts).
  it('in records and manifests are found before anything is shown', async () => {
    for (const field of ['record', 'manifest'])
      for (const at of [0, 20, 40, 60, 120, 200, -70, -1]) {
        net.answer = telling(field, (of) => ({ ...of, [field]: turned(of[field], at) }));
        expect([field, at, await failureOf(drive.stat('/file'))]).not.toEqual([field, at, undefined]);
      }
    net.answer = telling('manifest', (of) => ({ ...of, manifest: turned(of['manifest'], -1) }));
    expect(await failureOf(drive.stat('/file'))).toBe('damaged');
    expect(await failureOf(Array.fromAsync(drive.history('/file')))).toBe('damaged');
    expect(await failureOf(drive.restore('/file', 1))).toBe('damaged');
  });
});

// Stands on the position and the end in the associated data of a segment, and on the size in the manifest (src/crypto/floe-format.ts,
// src/crypto/open-stream.ts).
describe('attack 8 through the client: segments', () => {
  it('swapped or repeated are refused, and so are those of another range', async () => {
    await expectRefused('/file', (part) => Buffer.concat([segment(part, 1), segment(part, 0), part.subarray(2 * SEGMENT)]));
    await expectRefused('/file', (part) => Buffer.concat([segment(part, 0), segment(part, 0), part.subarray(2 * SEGMENT)]));
    const whole = await sealedPart('/file');
    net.answer = serving(() => segment(whole, 0));
    const second = { from: PLAIN_SEGMENT, to: 2 * PLAIN_SEGMENT };
    expect(await read('/file', second)).toEqual({ bytes: Buffer.alloc(0), failure: 'damaged' });
  });

  it('cut off or added are an error, and no end', async () => {
    await put('/empty', new Uint8Array(0));
    for (const bytes of [0, 1, SEGMENT, 3 * SEGMENT, 3 * SEGMENT + 500])
      await expectRefused('/file', (part) => part.subarray(0, bytes));
    net.answer = serving((part) => Buffer.concat([part, segment(part, 3)]));
    expect((await read('/file')).failure).toBe('damaged');
    net.answer = telling('content', (of) => (typeof of['content'] === 'string' ? { ...of, content: '' } : of));
    for (const path of ['/empty', '/small']) expect(await read(path)).toEqual({ bytes: Buffer.alloc(0), failure: 'damaged' });
  });
});

// Stands on three, each of which is enough: a content's own key (src/sdk/file-writer.ts), the header that the manifest names, drawn anew
// (src/crypto/node-floe-sealer.ts), and node and revision in the associated data (src/sdk/content.ts).
it('attack 9 through the client: segments of another file or revision are refused', async () => {
  await put('/other', randomBytes(plain.length));
  await put('/revised', randomBytes(plain.length));
  await put('/revised', plain);
  const [other, older] = [await sealedPart('/other'), await sealedPart('/revised', { revision: 1 })];
  await expectRefused('/file', () => other);
  await expectRefused('/revised', () => older);
  await expectRefused('/file', (part) => Buffer.concat([part.subarray(0, 3 * SEGMENT), other.subarray(3 * SEGMENT)]));
  await put('/small-too', plain.subarray(1_000, 2_000));
  let content: unknown;
  net.answer = telling('content', (of) => ((content = of['content']), of));
  await read('/small-too');
  net.answer = telling('content', (of) => (typeof of['content'] === 'string' ? { ...of, content } : of));
  expect(await read('/small')).toEqual({ bytes: Buffer.alloc(0), failure: 'damaged' });
});

/**
 * Uploads in several attempts: before the content becomes visible the client is stopped, and the server says at the next attempt that it has
 * not got the part, or another one. @returns the part as it was sent each time
 */
async function sentAgain(path: string, denials: readonly unknown[][]): Promise<readonly Buffer[]> {
  const source = { ...sourceOfBytes(plain), modifiedAtMs: 1_700_000_000_000, fingerprint: new Uint8Array(32) };
  const resume = new MemoryStateStore();
  const sent: Buffer[] = [];
  for (const [attempt, parts] of [[], ...denials].entries()) {
    const ended = new AbortController();
    net.before = ({ method, path: at, init }) => {
      if (method === 'PUT') sent.push(Buffer.from(init.body as Uint8Array));
      if (method === 'POST' && at === '/drive/nodes' && attempt < denials.length) ended.abort();
    };
    net.answer = ({ method, path: at }, response) =>
      method === 'GET' && at.startsWith('/drive/uploads/') ? rewritten(response, (json) => ({ ...json, parts })) : response;
    const upload = drive.upload(path, source, { resume, signal: ended.signal });
    if (attempt < denials.length) await expect(upload).rejects.toThrow('aborted');
    else await upload;
  }
  net.honest();
  return sent;
}

const ANOTHER_PART = { part: 0, digest: Buffer.alloc(32).toString('base64url'), bytes: 1 };

// Stands on the header that each attempt draws anew (src/crypto/node-floe-sealer.ts): key, node, revision and part are the same.
it('attack 10 through the client: two attempts to upload one part do not mix', async () => {
  const [first, second] = (await sentAgain('/attempts', [[]])) as [Buffer, Buffer];
  expect((await read('/attempts')).bytes.equals(plain)).toBe(true);
  await expectRefused('/attempts', () => first);
  await expectRefused('/attempts', () => Buffer.concat([segment(second, 0), segment(first, 1), second.subarray(2 * SEGMENT)]));
  await expectRefused('/attempts', () => Buffer.concat([segment(first, 0), second.subarray(SEGMENT)]));
});

// Stands on the IV of each segment (src/crypto/node-floe-sealer.ts).
it('attack 21 through the client: a server that denies what it has gets no nonce twice', async () => {
  const sent = await sentAgain('/denied', [[], [ANOTHER_PART], []]);
  expect(sent).toHaveLength(4);
  const nonces = sent.flatMap((part) => [0, 1, 2, 3].map((at) => segment(part, at).subarray(4, 16).toString('hex')));
  expect(new Set(nonces).size).toBe(16);
  expect((await read('/denied')).bytes.equals(plain)).toBe(true);
});

// Stands on the one error of whatever does not open (src/crypto/node-floe-opener.ts, src/crypto/seal-error.ts).
it('attack 20 through the client: nothing tells what was wrong with a content', async () => {
  const other = await sealedPart('/file').then((part) => flippedAt(part, 3 * SEGMENT + 4));
  const lies: readonly ((part: Buffer) => Uint8Array)[] = [
    ...[0, 3, 4, 15, 16, 40_000, SEGMENT - 17, SEGMENT - 16, SEGMENT - 1].map((at) => (part: Buffer) => flippedAt(part, at)),
    (part) => Buffer.concat([segment(part, 1), part.subarray(SEGMENT)]),
    (part) => randomBytes(part.length),
    (part) => Buffer.alloc(part.length),
    () => other.subarray(3 * SEGMENT),
  ];
  const told = new Set<string>();
  for (const lie of lies) {
    net.answer = serving(lie);
    const { body } = await drive.download('/file');
    const requests = net.requests.length;
    const error = await Array.fromAsync(body).catch((reason: unknown) => reason as SdkError);
    expect(error).toBeInstanceOf(SdkError);
    const { kind, message, code, cause } = error as SdkError;
    told.add(JSON.stringify([kind, message, code, cause, net.requests.slice(requests)]));
  }
  expect([...told].map((text) => (JSON.parse(text) as unknown[])[0])).toEqual(['damaged']);
});

// Stands on the id and the bytes that an answer must have to be taken for what was sent (src/sdk/open-node.ts), and on what opens anything else.
it('attack 11 and 13 through the client: other answers to files that are made are refused', async () => {
  await drive.mkdir('/made');
  const failures = async (prefix: string): Promise<readonly (string | undefined)[]> => {
    const { signal } = new AbortController();
    const files = Array.from({ length: 12 }, (_, at) =>
      drive.upload(`/made/${prefix} ${at}`, sourceOfBytes(randomBytes(50)), { signal }),
    );
    return Promise.all(files.map((file) => failureOf(() => file)));
  };
  const answering = (change: (results: readonly Json[]) => readonly Json[]): void => {
    net.answer = ({ path }, response) =>
      path === '/drive/nodes/batch'
        ? rewritten(response, (json) => ({ ...json, results: change(json['results'] as readonly Json[]) }))
        : response;
  };
  const inNodes = (change: (node: Json) => Json): void =>
    answering((results) => results.map(({ node, ...more }) => ({ ...more, node: change(node as Json) })));
  const lies: readonly (readonly [string, () => void])[] = [
    ['of others', () => answering((results) => results.map((_, at) => results[(at + 1) % results.length]!))],
    ['with a turned record', () => inNodes((node) => ({ ...node, record: turned(node['record'], -1) }))],
    [
      'with a turned manifest',
      () =>
        inNodes((node) => ({
          ...node,
          content: { ...(node['content'] as Json), manifest: turned((node['content'] as Json)['manifest'], -1) },
        })),
    ],
    ['of another revision', () => inNodes((node) => ({ ...node, content: { ...(node['content'] as Json), revision: 2 } }))],
    ['of another owner', () => inNodes((node) => ({ ...node, owner: '01890a5d-ac96-774b-bcce-b302099a8057' }))],
    ['that are none', () => answering(() => [])],
  ];
  for (const [what, lie] of lies) {
    lie();
    net.requests.length = 0;
    const told = await failures(what);
    const alone = net.requests.filter((request) => request === 'POST /drive/nodes').length;
    expect([what, told.filter((failure) => failure === undefined).length]).toEqual([what, alone]);
    expect([what, told.filter((failure) => failure === 'damaged').length]).toEqual([what, 12 - alone]);
    expect(alone).toBeLessThan(6);
    net.honest();
  }
  expect(new Set(await failures('honest'))).toEqual(new Set([undefined]));
});
