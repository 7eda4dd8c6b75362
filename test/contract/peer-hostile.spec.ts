import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LIMITS } from '../../src/config/limits.js';
import { digestOf, proveRequest } from '../../src/nodes/peer/peer-proof.js';
import { FRAME_BYTES_MAX, FrameSealer } from '../../src/nodes/peer/peer-frames.js';
import { PeerClient } from '../../src/nodes/peer/peer-client.js';
import type { PeerStorageNode } from '../../src/nodes/peer/peer.storage-node.js';
import { MemoryStorageNode } from '../support/memory.storage-node.js';
import { NodeError } from '../../src/nodes/storage-node.js';
import { HASTY, listening, newPeerIds, peerNode, SECRET, servedNode, servePeer, type RunningPeer } from '../support/peer-pair.js';
import { batchOf, listedKeys, never, someShard, someShards } from '../support/storage-node.shards.js';

const MiB = 1024 * 1024;
/** What a call that ends by its limit of 400 ms may take on a machine that is busy. */
const PATIENCE_MS = 15_000;
const ids = newPeerIds();

/** Something that listens where a peer should be. Given the connection after the head of a request has come, and the head. */
async function impostor(answer: (socket: Socket, head: string) => unknown): Promise<RunningPeer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    void (async () => {
      let head = '';
      for await (const piece of socket.iterator({ destroyOnReturn: false })) {
        head += String(piece);
        if (head.includes('\r\n\r\n')) break;
      }
      await answer(socket, head);
    })().catch(() => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server: server as never, close };
}

/** Writes on and on until the other side has enough; tells how much that was. */
async function pour(socket: Socket, piece: string | Uint8Array, pauseMs = 0): Promise<number> {
  let bytes = 0;
  while (!socket.destroyed) {
    bytes += piece.length;
    if (!socket.write(piece)) await new Promise((resolve) => socket.once('drain', resolve).once('close', resolve));
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return bytes;
}

const OK = 'HTTP/1.1 200 OK\r\n';

describe('Where a peer should be and something else is, every call ends in time and as `unavailable`:', () => {
  const cases: readonly (readonly [string, (socket: Socket, head: string) => unknown])[] = [
    ['HTML', (s) => s.end(`${OK}Content-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>`)],
    ['a long page of HTML', (s) => s.end(`${OK}Content-Type: text/html\r\n\r\n${'<p>hello</p>'.repeat(10_000)}`)],
    ['a redirect', (s) => s.end('HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/peer/v2/hello\r\nContent-Length: 0\r\n\r\n')],
    ['a page that is not found', (s) => s.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')],
    ['headers without an end', (s) => pour(s.setNoDelay(), `${OK}X-A: ${'a'.repeat(1000)}\r\n`)],
    ['one endless header', async (s) => (s.write(`${OK}X-A: `), pour(s, 'a'.repeat(1000)))],
    ['a body shorter than it says', (s) => s.end(`${OK}Content-Length: 1000\r\n\r\nshort`)],
    ['a body longer than it says', (s) => s.end(`${OK}Content-Length: 3\r\n\r\nmuch longer than that`)],
    ['two lengths', (s) => s.end(`${OK}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`)],
    ['nothing at all', () => undefined],
    ['a closed connection', (s) => s.destroy()],
    ['a status and no more', (s) => s.write(OK)],
    ['no HTTP', (s) => s.end('220 mail.example.com ESMTP ready\r\n')],
    ['bytes at random', (s) => s.end(Buffer.from(Array.from({ length: 5000 }, (_, at) => (at * 7919) % 251)))],
    ['a byte from time to time', (s) => (s.write(`${OK}Transfer-Encoding: chunked\r\n\r\n`), pour(s, '1\r\n\0\r\n', 20))],
    ['a frame that is to be 4 GiB long', (s) => s.end(Buffer.concat([Buffer.from(`${OK}\r\n`), Buffer.alloc(600, 0xff)]))],
    ['endless frames of nothing', (s) => (s.write(`${OK}\r\n`), pour(s, Buffer.alloc(65_536)))],
    [
      'an answer that was sealed with another nonce',
      (s) => s.end(Buffer.concat([Buffer.from(`${OK}\r\n`), sealedFor('0'.repeat(32))])),
    ],
    ['informational answers for ever', (s) => pour(s, 'HTTP/1.1 102 Processing\r\n\r\n', 1)],
    ['another protocol', (s) => s.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: upgrade\r\n\r\n')],
  ];

  it.each(cases)('%s', async (_what, answer) => {
    const peer = await impostor(answer);
    const node = peerNode(peer.origin, ids, { limits: HASTY });
    const began = performance.now();
    const before = process.memoryUsage();
    try {
      const calls = [
        node.probe(never()),
        node.get([someShard()], never()),
        node.put(batchOf([someShard({ size: 100_000 })]), never()),
        listedKeys(node),
      ];
      for (const outcome of await Promise.allSettled(calls)) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'NodeError', kind: 'unavailable' } });
      }
      expect(performance.now() - began).toBeLessThan(PATIENCE_MS);
      expect(process.memoryUsage().arrayBuffers - before.arrayBuffers).toBeLessThan(64 * MiB);
    } finally {
      await node.close();
      await peer.close();
    }
  });

  function sealedFor(nonce: string): Uint8Array {
    return Buffer.concat(new FrameSealer(SECRET, nonce).data([Buffer.from('{}')], true));
  }
});

/** A peer that greets as it should, and then is not what it said. */
describe('A peer that holds the secret and answers', () => {
  let inner: MemoryStorageNode;
  let honest: RunningPeer;
  let liar: RunningPeer;
  let node: PeerStorageNode;
  let lie: (chunk: Buffer, path: string) => Buffer | undefined;

  beforeEach(async () => {
    inner = new MemoryStorageNode(1);
    honest = await servePeer({ local: servedNode(inner, ids) });
    lie = (chunk) => chunk;
    // Something on the way that can change what the honest one says.
    const between: RequestListener = (request, response) => {
      void (async () => {
        const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>));
        const { authorization = '' } = request.headers;
        const answer = await fetch(honest.origin + (request.url ?? ''), { method: 'POST', headers: { authorization }, body });
        const changed = lie(Buffer.from(await answer.arrayBuffer()), request.url ?? '');
        if (changed === undefined) response.destroy();
        else response.writeHead(answer.status).end(changed);
      })().catch(() => response.destroy());
    };
    liar = await listening(createHttpServer(between));
    node = peerNode(liar.origin, ids, { limits: HASTY });
    await inner.put(batchOf(someShards(50)), never());
  });

  afterEach(async () => {
    await node.close();
    await Promise.all([liar.close(), honest.close()]);
  });

  const unavailable = { kind: 'unavailable' };
  const afterHello = (change: (chunk: Buffer) => Buffer | undefined) => (chunk: Buffer, path: string) =>
    path.endsWith('/hello') ? chunk : change(chunk);

  it('with any bit flipped: not one byte of it is believed', async () => {
    const shard = someShard({ size: 300 });
    await inner.put(batchOf([shard]), never());
    for (let at = 0; at < 340; at += 17) {
      lie = afterHello((chunk) => {
        const flipped = Buffer.from(chunk);
        flipped[at % flipped.length]! ^= 4;
        return flipped;
      });
      await expect(node.get([shard], never())).rejects.toMatchObject(unavailable);
    }
    lie = (chunk) => chunk;
    expect(Buffer.compare((await node.get([shard], never()))[0] as Uint8Array, shard.bytes)).toBe(0);
  });

  it('cut anywhere: a listing that was cut does not look complete', async () => {
    for (const end of [0, 1, 5, 100, -1, -32, -33, -38]) {
      lie = afterHello((chunk) => chunk.subarray(0, end));
      await expect(listedKeys(node)).rejects.toMatchObject(unavailable);
    }
    for (const end of [0, 1, 5, -1]) {
      lie = afterHello((chunk) => chunk.subarray(0, end));
      await expect(node.probe(never())).rejects.toMatchObject(unavailable);
    }
    lie = afterHello((chunk) => Buffer.concat([chunk, chunk]));
    await expect(listedKeys(node)).rejects.toMatchObject(unavailable);
    lie = (chunk) => chunk;
    expect(await listedKeys(node)).toHaveLength(50);
  });

  it('with what it said to another request', async () => {
    let first: Buffer | undefined;
    lie = afterHello((chunk) => (first ??= chunk));
    await node.probe(never());
    await expect(node.probe(never())).rejects.toMatchObject(unavailable);
  });

  it('by resets in the middle, and the next call is none the worse for it', async () => {
    lie = afterHello(() => undefined);
    await expect(node.probe(never())).rejects.toMatchObject(unavailable);
    lie = (chunk) => chunk;
    expect(await listedKeys(node)).toHaveLength(50);
  });
});

describe('A process that holds the secret', () => {
  /** Answers every call with these payloads, sealed as they should be. */
  async function speaker(
    hello: object,
    then: (path: string) => readonly Uint8Array[] = () => [],
    readsBodies = true,
  ): Promise<RunningPeer> {
    return listening(
      createHttpServer((request, response) => {
        const nonce = / ([0-9a-f]{32}) /.exec(request.headers.authorization ?? '')?.[1] ?? '';
        const sealer = new FrameSealer(SECRET, nonce);
        const isHello = request.url?.endsWith('/hello') ?? false;
        const payloads = isHello ? [Buffer.from(JSON.stringify(hello))] : then(request.url ?? '');
        const answer = Buffer.concat(payloads.flatMap((payload, at) => sealer.data([payload], at === payloads.length - 1)));
        response.writeHead(200, { 'content-length': answer.byteLength }).write(answer);
        if (!readsBodies && !isHello) return; // to end it would be to read what is left of the request
        request.resume();
        response.end();
      }),
    );
  }

  const HELLO = { protocol: [2, 2], number: 1, ...ids, nodeCount: 4, redundancyCount: 1, version: '1', run: 'a'.repeat(32) };

  it.each([
    ['speaks newer versions of the protocol only', { ...HELLO, protocol: [3, 4] }, 'versions 3 to 4'],
    ['is another node', { ...HELLO, nodeId: newPeerIds().nodeId }, 'another node'],
    ['is of another cluster', { ...HELLO, clusterId: newPeerIds().clusterId }, 'another cluster'],
    ['serves another number', { ...HELLO, number: 3 }, 'serves node 3'],
    ['greets in an unknown way', { hello: 'world' }, 'not as the protocol'],
    ['hears what is no node', { ...HELLO, hears: 'the sea' }, 'not as the protocol'],
    ['has too many keys', { ...HELLO, keys: Array.from({ length: 1002 }, () => 'k') }, 'not as the protocol'],
  ])('and %s is rejected, in words', async (_what, hello, words) => {
    const peer = await speaker(hello);
    const node = peerNode(peer.origin, ids, { limits: HASTY });
    try {
      await expect(node.probe(never())).rejects.toMatchObject({
        kind: 'rejected',
        message: expect.stringContaining(words) as unknown,
      });
    } finally {
      await node.close();
      await peer.close();
    }
  });

  it('and answers otherwise than it was asked, is rejected, and takes no memory by what it claims', async () => {
    const before = process.memoryUsage();
    for (const payload of [
      Buffer.alloc(0),
      Buffer.alloc(1),
      Buffer.alloc(5, 0xff),
      Buffer.alloc(1000, 0xff),
      Buffer.alloc(FRAME_BYTES_MAX),
    ]) {
      const peer = await speaker(HELLO, () => [payload]);
      const node = peerNode(peer.origin, ids, { limits: HASTY });
      try {
        await expect(node.get([someShard()], never())).rejects.toMatchObject({ kind: 'rejected' });
        await expect(node.check([someShard()], never())).rejects.toMatchObject({ kind: 'rejected' });
        await expect(node.getRecords([{ kind: 'manifest', id: someShard().versionId, page: 0 }], never())).rejects.toMatchObject({
          kind: 'rejected',
        });
      } finally {
        await node.close();
        await peer.close();
      }
    }
    expect(process.memoryUsage().arrayBuffers - before.arrayBuffers).toBeLessThan(64 * MiB);
  });

  it('and answers before it has all of the bytes, is not believed: they may still be needed', async () => {
    const peer = await speaker(HELLO, () => [Buffer.alloc(0)], false);
    const node = peerNode(peer.origin, ids, { limits: HASTY });
    try {
      const shards = [someShard({ size: 32 * MiB })];
      await expect(node.put(batchOf(shards), never())).rejects.toBeInstanceOf(NodeError);
    } finally {
      await node.close();
      await peer.close();
    }
  });

  it('may be asked for a part of a shard, and checks all of it', async () => {
    const inner = new MemoryStorageNode(1);
    const peer = await servePeer({ local: servedNode(inner, ids) });
    const node = peerNode(peer.origin, ids);
    try {
      const shard = someShard({ size: 1_200_000 });
      await node.put(batchOf([shard]), never());
      const part = async (offset: number, length: number): Promise<unknown> =>
        (await node.getParts([{ ...shard, offset, length }], never()))[0];
      for (const [offset, length] of [
        [0, 10],
        [50_000, 1_150_000],
        [1_199_999, 10],
        [1_200_001, 5],
        [7, 0],
      ] as const)
        expect(Buffer.compare((await part(offset, length)) as Uint8Array, shard.bytes.subarray(offset, offset + length))).toBe(0);
      await inner.put(batchOf([{ ...shard, checksum: (shard.checksum ^ 1) >>> 0 }]), never());
      expect(await part(0, 10)).toMatchObject({ kind: 'corrupt' });
    } finally {
      await node.close();
      await peer.close();
    }
  });

  it('learns of an abort, and of a closed client, by the end of the connection', async () => {
    const inner = new MemoryStorageNode(1);
    const stuck: AbortSignal[] = [];
    inner.probe = (signal) => (stuck.push(signal), new Promise(() => undefined));
    const peer = await servePeer({ local: servedNode(inner, ids) });
    const node = peerNode(peer.origin, ids);
    try {
      const controller = new AbortController();
      const calls = [node.probe(controller.signal), node.probe(never())];
      const outcomes = Promise.allSettled(calls);
      await eventually(() => stuck.length === 2);
      const reason = new Error('the client left');
      controller.abort(reason);
      await expect(calls[0]).rejects.toBe(reason);
      await eventually(() => stuck.filter(({ aborted }) => aborted).length === 1);
      await node.close();
      expect((await outcomes)[1]).toMatchObject({ status: 'rejected', reason: { kind: 'unavailable' } });
      await eventually(() => stuck.every(({ aborted }) => aborted));
    } finally {
      await node.close();
      await peer.close();
    }
  });

  it('tells what it does while it takes over, and goes on saying that it is there', async () => {
    const onTakeOver = async function* (_signal: AbortSignal, isForced: boolean): AsyncGenerator<string> {
      yield `reading the nodes, ${isForced ? 'forced' : 'asked'}`;
      await new Promise((resolve) => setTimeout(resolve, 2500));
      yield 'done';
    };
    const peer = await servePeer({ local: servedNode(new MemoryStorageNode(1), ids), onTakeOver });
    const client = new PeerClient({ origin: peer.origin, secret: SECRET, limits: { ...HASTY, node_call_ms_max: 2000 } });
    try {
      const [asked, forced] = await Promise.all(
        [false, true].map((isForced) => Array.fromAsync(client.takeOver(isForced, never()))),
      );
      expect([asked, forced]).toEqual(['asked', 'forced'].map((how) => [`reading the nodes, ${how}`, 'done']));
    } finally {
      await client.close();
      await peer.close();
    }
  });
});

async function eventually(isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error('it never came to be');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('A client that is hostile to a peer', () => {
  it('and sends slowly, or never ends, is let go; others are served meanwhile', async () => {
    const inner = new MemoryStorageNode(1);
    const peer = await servePeer({ local: servedNode(inner, ids), limits: HASTY });
    const node = peerNode(peer.origin, ids);
    try {
      await node.put(batchOf([someShard()]), never());
      const before = process.memoryUsage();
      const sockets = Array.from({ length: 50 }, async () => {
        const socket = connect(Number(new URL(peer.origin).port), '127.0.0.1').on('error', () => undefined);
        socket.write(
          'POST /peer/v2/put HTTP/1.1\r\nHost: x\r\nContent-Length: 299000000\r\nAuthorization: dcloud-peer-2\r\n\r\n',
        );
        const text = (await Array.fromAsync(socket as AsyncIterable<Buffer>)).join('');
        expect(text).toMatch(/^HTTP\/1.1 401 /);
      });
      expect((await node.probe(never())).full).toBe(false);
      await Promise.all(sockets);
      expect(process.memoryUsage().arrayBuffers - before.arrayBuffers).toBeLessThan(32 * MiB);
      expect(await listedKeys(node)).toHaveLength(1);
    } finally {
      await node.close();
      await peer.close();
    }
  });

  it('and proves a body that it never sends whole, gives back the room for it in time', async () => {
    const limits = { ...HASTY, peer_body_bytes_max: 3000, peer_bytes_in_flight: 3000 };
    const inner = new MemoryStorageNode(1);
    const peer = await servePeer({ local: servedNode(inner, ids), limits });
    const node = peerNode(peer.origin, ids);
    const client = new PeerClient({ origin: peer.origin, secret: SECRET, limits: LIMITS });
    try {
      const { run } = await client.hello(never());
      const claim = { time: Date.now(), nonce: '7'.repeat(16) + '1'.padStart(16, '0'), run, ...ids, term: 1, length: 3000 };
      const target = { method: 'POST', path: '/peer/v2/put' };
      const authorization = proveRequest(
        target,
        { ...claim, digest: digestOf([Buffer.alloc(3000)], claim.nonce, SECRET) },
        SECRET,
      );
      const socket = connect(Number(new URL(peer.origin).port), '127.0.0.1').on('error', () => undefined);
      socket.write(
        `POST ${target.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 3000\r\nAuthorization: ${authorization}\r\n\r\nonly this`,
      );
      await new Promise((resolve) => socket.once('close', resolve).resume());
      await node.put(batchOf([someShard({ size: 2500 })]), never());
      expect(await listedKeys(inner)).toHaveLength(1);
    } finally {
      await Promise.all([node.close(), client.close()]);
      await peer.close();
    }
  });
});
