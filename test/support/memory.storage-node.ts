import { crc32 } from 'node:zlib';
import { NodeError, StorageNode, type NodeProbe, type Shard, type ShardId } from '../../src/nodes/storage-node.js';

/** A node that keeps its shards in memory: the fake for tests of what uses nodes. It passes the contract of `StorageNode`. */
export class MemoryStorageNode extends StorageNode {
  /** What it keeps, for tests that look inside or damage it. */
  readonly shards = new Map<string, Shard>();
  private closed = false;

  constructor(
    override readonly number: number,
    private readonly bytesTotal = 2 ** 30,
  ) {
    super();
  }

  override async put(batch: readonly Shard[], signal: AbortSignal): Promise<void> {
    for (const shard of batch) {
      await this.turn(signal);
      if (this.bytesFree() < shard.bytes.byteLength) throw new NodeError('full', 'no space left');
      this.shards.set(keyOf(shard), { ...shard, bytes: shard.bytes.slice() });
    }
    await this.turn(signal);
  }

  override async get(ids: readonly ShardId[], signal: AbortSignal): Promise<readonly (Uint8Array | NodeError)[]> {
    await this.turn(signal);
    return ids.map((id) => {
      const shard = this.shards.get(keyOf(id));
      if (shard === undefined) return new NodeError('not-found', 'there is no such shard');
      return crc32(shard.bytes) === shard.checksum
        ? shard.bytes.slice()
        : new NodeError('corrupt', 'the payload is not what was put');
    });
  }

  override async delete(ids: readonly ShardId[], signal: AbortSignal): Promise<void> {
    await this.turn(signal);
    for (const id of ids) this.shards.delete(keyOf(id));
  }

  override async *list(signal: AbortSignal): AsyncGenerator<ShardId, void, undefined> {
    await this.turn(signal);
    for (const { versionId, stripe, index } of this.shards.values()) {
      await this.turn(signal);
      yield { versionId, stripe, index };
    }
  }

  override async probe(signal: AbortSignal): Promise<NodeProbe> {
    await this.turn(signal);
    const bytesFree = this.bytesFree();
    return { bytesFree, bytesTotal: this.bytesTotal, full: bytesFree <= 0 };
  }

  override close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  /** One turn of the event loop, so that calls interleave as they do on a real node, and the checks that each turn begins with. */
  private async turn(signal: AbortSignal): Promise<void> {
    this.admit(signal);
    await new Promise((resolve) => setImmediate(resolve));
    this.admit(signal);
  }

  private admit(signal: AbortSignal): void {
    signal.throwIfAborted();
    if (this.closed) throw new NodeError('unavailable', 'it is closed');
  }

  private bytesFree(): number {
    let used = 0;
    for (const shard of this.shards.values()) used += shard.bytes.byteLength;
    return this.bytesTotal - used;
  }
}

function keyOf({ versionId, stripe, index }: ShardId): string {
  return `${versionId}/${stripe}/${index}`;
}
