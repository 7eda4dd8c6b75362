import { createHash, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LIMITS } from '../../src/config/limits.js';
import { newId, type NodeId } from '../../src/common/ids.js';
import { encodeBatch } from '../../src/nodes/peer/peer-codec.js';
import { digestOf, proveRequest, type PeerClaim } from '../../src/nodes/peer/peer-proof.js';
import { PeerClient } from '../../src/nodes/peer/peer-client.js';
import { PeerSecret } from '../../src/nodes/peer/peer-secret.js';
import { MemoryStorageNode } from '../support/memory.storage-node.js';
import { newPeerIds, peerNode, SECRET, servedNode, servePeer, type PeerIds, type RunningPeer } from '../support/peer-pair.js';
import { batchOf, keyOf, listedKeys, never, someShard } from '../support/storage-node.shards.js';

/** Requests to a peer as nobody's client would make them. */
describe('A peer', () => {
  let inner: MemoryStorageNode;
  let ids: PeerIds;
  let peer: RunningPeer;
  let run: string;

  beforeEach(async () => {
    inner = new MemoryStorageNode(1);
    ids = newPeerIds();
    peer = await servePeer({ local: servedNode(inner, ids, 3) });
    const client = new PeerClient({ origin: peer.origin, secret: SECRET, limits: LIMITS });
    ({ run } = await client.hello(never()));
    await client.close();
  });

  afterEach(() => peer.close());

  const shard = someShard();
  const body = Buffer.concat(encodeBatch(batchOf([shard])));

  function claimOf(part: Partial<PeerClaim> = {}): PeerClaim {
    const nonce = part.nonce ?? randomBytes(8).toString('hex') + '1'.padStart(16, '0');
    return {
      time: Date.now(),
      nonce,
      run,
      ...ids,
      term: 3,
      length: body.byteLength,
      digest: digestOf([body], nonce, SECRET),
      ...part,
    };
  }

  interface Sent {
    readonly claim?: PeerClaim;
    readonly secret?: PeerSecret;
    readonly path?: string;
    readonly signedPath?: string;
    readonly bytes?: Uint8Array;
    readonly method?: string;
    readonly header?: string;
  }

  async function send({
    claim = claimOf(),
    secret = SECRET,
    path = '/peer/v2/put',
    bytes = body,
    ...rest
  }: Sent): Promise<Response> {
    const { signedPath = path, method = 'POST' } = rest;
    const authorization = rest.header ?? proveRequest({ method: 'POST', path: signedPath }, claim, secret);
    const hasBody = method !== 'GET' && method !== 'HEAD';
    return fetch(peer.origin + path, { method, headers: { authorization }, ...(hasBody ? { body: Buffer.from(bytes) } : {}) });
  }

  async function expectUnproved(response: Response): Promise<void> {
    expect([response.status, await response.text()]).toEqual([401, '']);
    expect([...response.headers.keys()].toSorted()).toEqual(['connection', 'content-length', 'date']);
    expect(await listedKeys(inner)).toEqual([]);
  }

  it('takes a put that proves itself', async () => {
    const response = await send({});
    expect(response.status).toBe(200);
    expect(await listedKeys(inner)).toEqual([keyOf(shard)]);
  });

  it.each(['/peer', '/peer/', '/peer?x', '/peer/v2/hello', '/peer/v2/put', '/peer/v9/put', '/peer/v2/nothing'])(
    'tells nothing at %s to who proves nothing',
    async (path) => {
      for (const method of ['GET', 'PUT', 'POST', 'DELETE'])
        for (const header of ['', 'Basic Zm9vOmJhcg==', 'dcloud-peer-2', `dcloud-peer-2 ${'-'.repeat(500)}`])
          await expectUnproved(await send({ path, method, header }));
    },
  );

  it('takes no other secret', async () => {
    await expectUnproved(await send({ secret: PeerSecret.of('another secret of the same length, or nearly so') }));
  });

  it('takes no request twice', async () => {
    const claim = claimOf();
    expect((await send({ claim })).status).toBe(200);
    await inner.delete([shard], never());
    await expectUnproved(await send({ claim }));
  });

  it('takes no request of a time that is too far from its own', async () => {
    for (const seconds of [-31, 31, -86_400])
      await expectUnproved(await send({ claim: claimOf({ time: Date.now() + seconds * 1000 }) }));
    expect((await send({ claim: claimOf({ time: Date.now() - 20_000 }) })).status).toBe(200);
  });

  it('takes no body but the one that was proved', async () => {
    for (const at of [0, 10, body.byteLength - 1]) {
      const bytes = Buffer.from(body);
      bytes[at]! ^= 1;
      await expectUnproved(await send({ bytes }));
    }
    await expectUnproved(await send({ bytes: body.subarray(1) }));
    await expectUnproved(await send({ bytes: new Uint8Array() }));
    await expectUnproved(await send({ claim: claimOf({ length: body.byteLength + 1 }) }));
    await expectUnproved(await send({ claim: claimOf({ length: body.byteLength + 1 }), bytes: Buffer.concat([body, body]) }));
  });

  it('takes no path, method, node, term, run or length but those that were proved', async () => {
    await expectUnproved(await send({ path: '/peer/v2/put', signedPath: '/peer/v2/check' }));
    await expectUnproved(await send({ path: '/peer/v2/put?x=1', signedPath: '/peer/v2/put' }));
    await expectUnproved(await send({ method: 'PUT' }));
    const claim = claimOf({ nodeId: newId<NodeId>(), term: 2, run: '0'.repeat(32) });
    const header = proveRequest({ method: 'POST', path: '/peer/v2/put' }, claim, SECRET);
    for (const [from, to] of [
      [claim.nodeId!, ids.nodeId],
      [` 2 ${body.byteLength} `, ` 3 ${body.byteLength} `],
      ['0'.repeat(32), run],
    ] as const) {
      expect(header).toContain(from);
      await expectUnproved(await send({ header: header.replace(from, to) }));
    }
  });

  it('acts on nothing that was sent to an earlier run of it', async () => {
    const response = await send({ claim: claimOf({ run: createHash('md5').update('an earlier run').digest('hex') }) });
    expect(response.status).toBe(200);
    expect(await listedKeys(inner)).toEqual([]);
  });

  it('greets again after it was started anew, and goes on', async () => {
    const node = peerNode(peer.origin, ids, { term: () => 3 });
    try {
      await node.put(batchOf([shard]), never());
      const port = Number(new URL(peer.origin).port);
      await peer.close();
      await expect(node.probe(never())).rejects.toMatchObject({ kind: 'unavailable' });
      peer = await servePeer({ local: servedNode(inner, ids, 3) }, port);
      const probes = Array.from({ length: 20 }, () => node.probe(never()));
      expect((await Promise.all(probes)).every(({ full }) => !full)).toBe(true);
      expect(await listedKeys(node)).toEqual([keyOf(shard)]);
    } finally {
      await node.close();
    }
  });

  it.each([
    ['another secret', () => ({ secret: PeerSecret.of('another secret of the same length, or nearly so') }), '401'],
    ['another cluster', () => ({ clusterId: newPeerIds().clusterId }), 'another cluster'],
    ['another node', () => ({ nodeId: newPeerIds().nodeId }), 'another node'],
    ['another number', () => ({ number: 2 }), 'serves node 1'],
    ['an earlier term', () => ({ term: () => 2 }), 'fenced:'],
  ])('and a client with %s reject each other, in words', async (_what, part, words) => {
    const node = peerNode(peer.origin, ids, { term: () => 3, ...part() });
    try {
      for (const call of [
        node.put(batchOf([shard]), never()),
        node.get([shard], never()),
        node.probe(never()),
        listedKeys(node),
      ]) {
        const error = await call.then(
          () => undefined,
          (reason: unknown) => reason as Error & { kind?: string },
        );
        expect([error?.kind, error?.message]).toEqual(['rejected', expect.stringContaining(words)]);
      }
      expect(await listedKeys(inner)).toEqual([]);
    } finally {
      await node.close();
    }
  });

  it('refuses by its own look, too, who is no less sure than itself', async () => {
    for (const part of [{ clusterId: newPeerIds().clusterId }, { nodeId: newPeerIds().nodeId }, { term: 2 }]) {
      const response = await send({ claim: claimOf(part) });
      expect(Buffer.from(await response.arrayBuffer()).toString('latin1')).toMatch(/another node|fenced/);
    }
    expect(await listedKeys(inner)).toEqual([]);
  });

  it('answers versions of the protocol that it does not speak, with its own', async () => {
    const response = await send({ path: '/peer/v1/put' });
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('versions 2 to 2');
    const { nonce } = claimOf();
    const claim = claimOf({ nonce, length: 0, digest: digestOf([], nonce, SECRET) });
    const authorization = proveRequest({ method: 'GET', path: '/peer/v7/hello' }, claim, SECRET);
    const empty = await fetch(`${peer.origin}/peer/v7/hello`, { headers: { authorization } });
    expect(await empty.text()).toContain('versions 2 to 2');
  });
});
