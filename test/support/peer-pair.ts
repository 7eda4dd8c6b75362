import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { newId, type ClusterId, type NodeId } from '../../src/common/ids.js';
import { LIMITS, type Limits } from '../../src/config/limits.js';
import { PeerSecret } from '../../src/nodes/peer/peer-secret.js';
import { PeerServer, type PeerServerParts } from '../../src/nodes/peer/peer-server.js';
import { PeerStorageNode, type PeerNodeOptions } from '../../src/nodes/peer/peer.storage-node.js';
import { NodeError, type StorageNode } from '../../src/nodes/storage-node.js';

export const SECRET = PeerSecret.of('a secret of a cluster that is only for tests');

type Served = PeerServerParts['local'];

export interface PeerIds {
  readonly clusterId: ClusterId;
  readonly nodeId: NodeId;
}

/** What a LocalNode does of itself, around any node: with its ids, and a fence at one term. */
export function servedNode(node: StorageNode, ids: PeerIds, term = 1): Served {
  return {
    number: node.number,
    ids,
    map: undefined,
    create: () => Promise.reject(new NodeError('rejected', 'not in this test')),
    takeMap: () => Promise.reject(new NodeError('rejected', 'not in this test')),
    use: async (call, signal, work) => {
      if (call.clusterId !== ids.clusterId || call.nodeId !== ids.nodeId) throw new NodeError('rejected', 'it is another node');
      if (call.term < term) throw new NodeError('rejected', 'fenced: over');
      return work(node, signal);
    },
  };
}

export interface RunningPeer {
  readonly origin: string;
  readonly server: Server;
  readonly close: () => Promise<void>;
}

/** A process's HTTP server that answers peers only. */
export async function servePeer(
  parts: Partial<PeerServerParts> & Pick<PeerServerParts, 'local'>,
  port = 0,
): Promise<RunningPeer> {
  const about = (): ReturnType<PeerServerParts['about']> => ({ nodeCount: 4, redundancyCount: 1, version: '0.0.0' });
  const peer = new PeerServer({ secret: SECRET, about, limits: LIMITS, ...parts });
  // With the option that the program's own server has: a request without a body is one that has ended already.
  const server = createServer({ optimizeEmptyRequests: true }, (request, response) => {
    if (!peer.handle(request, response)) response.writeHead(404).end();
  });
  return listening(server, port);
}

export async function listening(server: Server, port = 0): Promise<RunningPeer> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, close };
}

export function newPeerIds(): PeerIds {
  return { clusterId: newId<ClusterId>(), nodeId: newId<NodeId>() };
}

export function peerNode(origin: string, ids: PeerIds, part: Partial<PeerNodeOptions> = {}): PeerStorageNode {
  return new PeerStorageNode({ number: 1, origin, secret: SECRET, ...ids, term: () => 1, limits: LIMITS, ...part });
}

/** Limits with a short patience, for peers that are slow on purpose. */
export const HASTY: Limits = { ...LIMITS, node_call_ms_max: 400 };
