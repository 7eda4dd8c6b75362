import { crc32 } from 'node:zlib';
import { parseId } from '../../src/common/ids.js';
import { noteRead } from '../../src/nodes/read-bytes.js';
import {
  NodeError,
  RECORD_BYTES_MAX,
  StorageNode,
  type NodeBatch,
  type NodeProbe,
  type NodeRecord,
  type RecordHead,
  type RecordKey,
  type Shard,
  type ShardId,
} from '../../src/nodes/storage-node.js';

/** Counts as it goes: each put asks for the sum, which for many thousands of shards would take longer than all the rest. */
class KeptBytes<Item extends { readonly bytes: Uint8Array }> extends Map<string, Item> {
  total = 0;

  override set(key: string, item: Item): this {
    this.total += item.bytes.byteLength - (this.get(key)?.bytes.byteLength ?? 0);
    return super.set(key, item);
  }

  override delete(key: string): boolean {
    this.total -= this.get(key)?.bytes.byteLength ?? 0;
    return super.delete(key);
  }

  override clear(): void {
    this.total = 0;
    super.clear();
  }
}

/** A node that keeps its shards in memory: the fake for tests of what uses nodes. It passes the contract of `StorageNode`. */
export class MemoryStorageNode extends StorageNode {
  /** What it keeps, for tests that look inside or damage it. */
  readonly shards = new KeptBytes<Shard>();
  readonly records = new KeptBytes<NodeRecord>();
  private newestRevision = 0;
  private closed = false;

  constructor(
    override readonly number: number,
    private readonly bytesTotal = 2 ** 30,
  ) {
    super();
  }

  /** Flips a bit of a shard, as a bad disk does. */
  damage(id: ShardId): void {
    const shard = this.shards.get(keyOf(id));
    if (shard !== undefined) shard.bytes[0] = (shard.bytes[0] ?? 0) ^ 1;
  }

  override async put({ shards, records }: NodeBatch, signal: AbortSignal): Promise<void> {
    for (const shard of shards) requireShardId(shard);
    for (const record of records) requireRecord(record);
    for (const shard of shards) {
      await this.turn(signal);
      this.requireSpace(shard.bytes);
      this.shards.set(keyOf(shard), { ...shard, bytes: copyOf(shard.bytes) });
    }
    for (const record of records) {
      await this.turn(signal);
      this.requireSpace(record.bytes);
      this.newestRevision = Math.max(this.newestRevision, record.revision);
      if ((this.records.get(recordKeyOf(record))?.revision ?? 0) > record.revision) continue;
      this.records.set(recordKeyOf(record), { ...record, bytes: copyOf(record.bytes) });
    }
    await this.turn(signal);
  }

  override async get(ids: readonly ShardId[], signal: AbortSignal): Promise<readonly (Uint8Array | NodeError)[]> {
    await this.turn(signal);
    for (const id of ids) requireShardId(id);
    return ids.map((id) => {
      const shard = this.shards.get(keyOf(id));
      if (shard === undefined) return new NodeError('not-found', 'there is no such shard');
      if (crc32(shard.bytes) !== shard.checksum) return new NodeError('corrupt', 'the payload is not what was put');
      const bytes = copyOf(shard.bytes);
      noteRead(bytes, shard.checksum); // as the real one does: whoever gives it back too soon is found out
      return bytes;
    });
  }

  override async check(ids: readonly ShardId[], signal: AbortSignal): Promise<readonly (NodeError | undefined)[]> {
    return (await this.get(ids, signal)).map((answer) => (answer instanceof NodeError ? answer : undefined));
  }

  override async delete(ids: readonly ShardId[], signal: AbortSignal): Promise<void> {
    await this.turn(signal);
    for (const id of ids) requireShardId(id);
    for (const id of ids) this.shards.delete(keyOf(id));
  }

  override async getRecords(keys: readonly RecordKey[], signal: AbortSignal): Promise<readonly (NodeRecord | NodeError)[]> {
    await this.turn(signal);
    for (const key of keys) requireRecordKey(key);
    return keys.map((key) => {
      const record = this.records.get(recordKeyOf(key));
      return record === undefined
        ? new NodeError('not-found', 'there is no such record')
        : { ...record, bytes: copyOf(record.bytes) };
    });
  }

  override async forget(heads: readonly RecordHead[], signal: AbortSignal): Promise<void> {
    await this.turn(signal);
    for (const head of heads) requireRecordKey(head);
    for (const head of heads) {
      const record = this.records.get(recordKeyOf(head));
      if (record !== undefined && record.revision <= head.revision) this.records.delete(recordKeyOf(head));
    }
  }

  override async *listRecords(signal: AbortSignal): AsyncGenerator<RecordHead, void, undefined> {
    await this.turn(signal);
    for (const key of [...this.records.keys()]) {
      await this.turn(signal);
      const record = this.records.get(key);
      if (record !== undefined) yield { kind: record.kind, id: record.id, page: record.page, revision: record.revision };
    }
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
    return { bytesFree, bytesTotal: this.bytesTotal, full: bytesFree <= 0, newestRevision: this.newestRevision };
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
    return this.bytesTotal - this.shards.total - this.records.total;
  }

  private requireSpace(bytes: Uint8Array): void {
    if (this.bytesFree() < bytes.byteLength) throw new NodeError('full', 'no space left');
  }
}

function requireShardId({ versionId, stripe, index }: ShardId): void {
  requireId(versionId);
  if (!Number.isSafeInteger(stripe) || stripe < 0 || !Number.isSafeInteger(index) || index < 0 || index > 255)
    throw new NodeError('rejected', 'no id of a shard');
}

function requireRecord(record: NodeRecord): void {
  requireRecordKey(record);
  requireId(record.fileId);
  if (record.bytes.byteLength > RECORD_BYTES_MAX) throw new NodeError('rejected', 'too long a record');
}

function requireRecordKey(key: RecordKey & { readonly revision?: number }): void {
  const { kind, id, page, revision = 0 } = key;
  requireId(id);
  const isKind = (['manifest', 'layout', 'tombstone'] as string[]).includes(kind);
  if (!isKind || !Number.isSafeInteger(page) || page < 0 || (kind !== 'layout' && page !== 0))
    throw new NodeError('rejected', 'no key of a record');
  if (!Number.isSafeInteger(revision) || revision < 0) throw new NodeError('rejected', 'no revision');
}

function requireId(id: string): void {
  if (parseId(id) !== id) throw new NodeError('rejected', 'no id');
}

function recordKeyOf({ kind, id, page }: RecordKey): string {
  return `${kind}/${id}/${page}`;
}

function keyOf({ versionId, stripe, index }: ShardId): string {
  return `${versionId}/${stripe}/${index}`;
}

/** In memory of its own, which the slice of a Buffer is not. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
