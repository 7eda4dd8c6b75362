import type { ClusterId, NodeId } from '../../common/ids.js';
import type { ClusterMap } from '../../config/cluster-map.js';
import { NodeError } from '../storage-node.js';
import { PeerConnection, type PeerConnectionOptions } from './peer-connection.js';
import { EntryReader } from './peer-entries.js';
import { FORCE, type PeerHello } from './peer-hello.js';
import { encodeFoundDamage, encodeLeases, encodePageKey, type PageKey } from './read-desk-codec.js';
import type { FoundDamage, Leases } from './read-desk.js';

/** The node that a process is to make. */
export interface NewNode {
  readonly clusterId: ClusterId;
  readonly nodeId: NodeId;
  readonly number: number;
}

/** Bytes of one page of a layout: of 16,384 stripes of 256 shards, and two bytes for each, with room to spare. */
const PAGE_BYTES_MAX = 16 * 1024 * 1024;

/** The calls to a peer that are not to its node: who it is, and what it is to know of the cluster. */
export class PeerClient {
  private readonly connection: PeerConnection;

  constructor(options: PeerConnectionOptions) {
    this.connection = new PeerConnection(options);
  }

  hello(signal: AbortSignal): Promise<PeerHello> {
    return this.connection.hello(signal);
  }

  /** Makes the node of that process, in a folder that never was one. The same again does nothing; anything else is `rejected`. */
  async create({ clusterId, nodeId, number }: NewNode, signal: AbortSignal): Promise<void> {
    const body = [Buffer.from(JSON.stringify({ number }))];
    await this.connection.answer({ operation: 'create', clusterId, nodeId, body }, signal);
  }

  /** Resolves when the map is durable there. Throws `rejected`, "fenced: …", if it has one of a higher term. */
  async giveMap(map: ClusterMap, signal: AbortSignal): Promise<void> {
    const body = [Buffer.from(JSON.stringify(map))];
    await this.connection.answer({ operation: 'map', clusterId: map.clusterId, term: map.term, body }, signal);
  }

  /** Asks that process to become the gateway. Yields what it says on the way, line by line, and ends when it is one. */
  async *takeOver(isForced: boolean, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
    const { clusterId, nodeId } = await this.hello(signal);
    if (clusterId === undefined || nodeId === undefined) throw new NodeError('rejected', 'it holds no node yet');
    const body = isForced ? [Buffer.from(FORCE)] : [];
    // Addressed to this very node: the call must not be played to another one.
    for await (const payload of this.connection.stream({ operation: 'takeover', clusterId, nodeId, body }, signal)) {
      const text = Buffer.from(payload).toString('utf8');
      if (text !== '') yield text;
    }
  }

  /** See ReadDesk; `not-found` is undefined. @throws NodeError `rejected` if that process is not the gateway */
  async layout(clusterId: ClusterId, key: PageKey, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const reader = new EntryReader(1, () => PAGE_BYTES_MAX);
    const call = { operation: 'layout', clusterId, body: [encodePageKey(key)] };
    for await (const payload of this.connection.stream(call, signal)) reader.push(payload);
    const [found] = reader.finish();
    if (!(found instanceof NodeError)) return found;
    if (found.kind === 'not-found') return undefined;
    throw found;
  }

  /** See ReadDesk. */
  async lease(clusterId: ClusterId, leases: Leases, signal: AbortSignal): Promise<void> {
    await this.connection.answer({ operation: 'lease', clusterId, body: [encodeLeases(leases)] }, signal);
  }

  /** See ReadDesk. */
  async damaged(clusterId: ClusterId, found: readonly FoundDamage[], signal: AbortSignal): Promise<void> {
    await this.connection.answer({ operation: 'damaged', clusterId, body: [encodeFoundDamage(found)] }, signal);
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}
