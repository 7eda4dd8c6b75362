import type { LocalNode, NodeCall } from '../nodes/peer/local-node.js';
import { pullShards } from '../nodes/peer/peer-pull.js';
import {
  StorageNode,
  NodeError,
  type NodeBatch,
  type NodeProbe,
  type NodeRecord,
  type RecordHead,
  type RecordKey,
  type ShardAsk,
  type ShardCopy,
  type ShardId,
} from '../nodes/storage-node.js';

/**
 * The node of the gateway's own process, fenced like the others: each call is admitted anew, so that a gateway that was taken over from
 * cannot go on writing to the one node that it reaches without a message. The node belongs to the process and outlives this.
 */
export class OwnStorageNode extends StorageNode {
  private closed = false;

  constructor(
    private readonly local: LocalNode,
    /** For whom this speaks, at this moment. */
    private readonly caller: () => NodeCall,
    /** The nodes of other processes, to copy from. */
    private readonly sourceOf: (number: number) => StorageNode | undefined,
  ) {
    super();
  }

  override get number(): number {
    return this.local.number;
  }

  override put(batch: NodeBatch, signal: AbortSignal): Promise<void> {
    return this.use(signal, (node, limit) => node.put(batch, limit));
  }

  override get(ids: readonly ShardAsk[], signal: AbortSignal): Promise<readonly (Uint8Array | NodeError)[]> {
    return this.use(signal, (node, limit) => node.get(ids, limit));
  }

  override pull(number: number, copies: readonly ShardCopy[], signal: AbortSignal): Promise<readonly (NodeError | undefined)[]> {
    const source = this.sourceOf(number);
    return this.use(signal, (target, limit) => pullShards({ source, target }, copies, limit));
  }

  override check(ids: readonly ShardId[], signal: AbortSignal): Promise<readonly (NodeError | undefined)[]> {
    return this.use(signal, (node, limit) => node.check(ids, limit));
  }

  override delete(ids: readonly ShardId[], signal: AbortSignal): Promise<void> {
    return this.use(signal, (node, limit) => node.delete(ids, limit));
  }

  override getRecords(keys: readonly RecordKey[], signal: AbortSignal): Promise<readonly (NodeRecord | NodeError)[]> {
    return this.use(signal, (node, limit) => node.getRecords(keys, limit));
  }

  override forget(heads: readonly RecordHead[], signal: AbortSignal): Promise<void> {
    return this.use(signal, (node, limit) => node.forget(heads, limit));
  }

  override async *listRecords(signal: AbortSignal): AsyncGenerator<RecordHead, void, undefined> {
    this.requireOpen();
    yield* this.local.admit(this.caller()).listRecords(signal);
  }

  override async *list(signal: AbortSignal): AsyncGenerator<ShardId, void, undefined> {
    this.requireOpen();
    yield* this.local.admit(this.caller()).list(signal);
  }

  override probe(signal: AbortSignal): Promise<NodeProbe> {
    return this.use(signal, (node, limit) => node.probe(limit));
  }

  override close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  private async use<Result>(
    signal: AbortSignal,
    work: (node: StorageNode, limit: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    this.requireOpen();
    return this.local.use(this.caller(), signal, work);
  }

  private requireOpen(): void {
    if (this.closed) throw new NodeError('unavailable', 'the node is closed');
  }
}
