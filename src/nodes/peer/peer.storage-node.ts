import type { ClusterId, NodeId } from '../../common/ids.js';
import { KeyEncoder } from '../folder/pack-key.js';
import { requireBatch } from '../folder/pack-writings.js';
import { SHARD_PAYLOAD_BYTES_MAX } from '../folder/shard-format.js';
import {
  NodeError,
  RECORD_BYTES_MAX,
  StorageNode,
  type NodeBatch,
  type NodeProbe,
  type NodeRecord,
  type RecordHead,
  type RecordKey,
  type ShardAsk,
  type ShardCopy,
  type ShardId,
} from '../storage-node.js';
import {
  decodeProbe,
  decodeRecord,
  decodeRecordHeads,
  decodeShardIds,
  encodeBatch,
  encodePull,
  encodeRecordHeads,
  encodeRecordKeys,
  encodeShardIds,
  encodeShardParts,
  type ShardPart,
} from './peer-codec.js';
import { PeerConnection, type PeerConnectionOptions } from './peer-connection.js';
import { EntryReader } from './peer-entries.js';
import type { PeerHello } from './peer-hello.js';
import { asOneList, ITEM_BYTES, SmallCalls } from './small-calls.js';

export interface PeerNodeOptions extends PeerConnectionOptions {
  readonly number: number;
  readonly clusterId: ClusterId;
  readonly nodeId: NodeId;
  /** The term for which this process speaks; asked with each call. */
  readonly term: () => number;
}

type Found<Item> = Item | NodeError;

/** The head of a record in an answer is at most so long. */
const RECORD_HEAD_BYTES_MAX = 64;
/** What a record is expected to have: most are of small files, or manifests of large ones. */
const RECORD_BYTES_USUAL = 4 * 1024;

/** A node that another process serves, over the peer protocol (`docs/peer-protocol.md`). */
export class PeerStorageNode extends StorageNode {
  override readonly number: number;
  private readonly connection: PeerConnection;
  private readonly puts: SmallCalls<NodeBatch, undefined>;
  private readonly gets: SmallCalls<readonly ShardPart[], readonly Found<Uint8Array>[]>;
  private readonly deletions: SmallCalls<readonly ShardId[], undefined>;
  private readonly recordGets: SmallCalls<readonly RecordKey[], readonly Found<NodeRecord>[]>;
  private readonly forgets: SmallCalls<readonly RecordHead[], undefined>;

  constructor(private readonly options: PeerNodeOptions) {
    super();
    this.number = options.number;
    this.connection = new PeerConnection(options, (hello) => requireNode(hello, options));
    this.puts = new SmallCalls(bytesOfBatch, (batches, signal) => this.putAll(batches, signal));
    this.gets = new SmallCalls(
      bytesOfParts,
      asOneList((parts, signal) => this.getAll(parts, signal)),
    );
    this.deletions = new SmallCalls(bytesOfItems, (lists: readonly (readonly ShardId[])[], signal) =>
      this.tell('delete', encodeShardIds(lists.flat()), lists, signal),
    );
    this.recordGets = new SmallCalls(
      bytesOfRecords,
      asOneList((keys, signal) => this.getAllRecords(keys, signal)),
    );
    this.forgets = new SmallCalls(bytesOfItems, (lists: readonly (readonly RecordHead[])[], signal) =>
      this.tell('forget', encodeRecordHeads(lists.flat()), lists, signal),
    );
  }

  override async put(batch: NodeBatch, signal: AbortSignal): Promise<void> {
    this.connection.admit(signal);
    requireBatch(batch);
    await this.puts.run(batch, signal);
  }

  override get(ids: readonly ShardAsk[], signal: AbortSignal): Promise<readonly Found<Uint8Array>[]> {
    return this.getParts(ids, signal);
  }

  /**
   * Reads parts of shards; answers as {@link get} does. The peer checks the checksum of each whole shard and sends the part alone. Of a part
   * that lies beyond the shard's end there is what the shard has of it.
   */
  async getParts(parts: readonly ShardPart[], signal: AbortSignal): Promise<readonly Found<Uint8Array>[]> {
    this.connection.admit(signal);
    requireShardIds(parts);
    return this.gets.run(parts, signal);
  }

  override async pull(
    source: number,
    copies: readonly ShardCopy[],
    signal: AbortSignal,
  ): Promise<readonly (NodeError | undefined)[]> {
    this.connection.admit(signal);
    requireShardIds(copies);
    return this.verdicts('pull', encodePull({ source, copies }), copies.length, signal);
  }

  override async check(ids: readonly ShardId[], signal: AbortSignal): Promise<readonly (NodeError | undefined)[]> {
    this.connection.admit(signal);
    requireShardIds(ids);
    return this.verdicts('check', encodeShardIds(ids), ids.length, signal);
  }

  override async delete(ids: readonly ShardId[], signal: AbortSignal): Promise<void> {
    this.connection.admit(signal);
    requireShardIds(ids);
    await this.deletions.run(ids, signal);
  }

  override async getRecords(keys: readonly RecordKey[], signal: AbortSignal): Promise<readonly Found<NodeRecord>[]> {
    this.connection.admit(signal);
    requireRecordKeys(keys);
    return this.recordGets.run(keys, signal);
  }

  override async forget(heads: readonly RecordHead[], signal: AbortSignal): Promise<void> {
    this.connection.admit(signal);
    requireRecordKeys(heads);
    await this.forgets.run(heads, signal);
  }

  override listRecords(signal: AbortSignal): AsyncGenerator<RecordHead, void, undefined> {
    return this.walk('list-records', decodeRecordHeads, signal);
  }

  override list(signal: AbortSignal): AsyncGenerator<ShardId, void, undefined> {
    return this.walk('list', decodeShardIds, signal);
  }

  override async probe(signal: AbortSignal): Promise<NodeProbe> {
    return decodeProbe(await this.call('probe', [], signal));
  }

  override close(): Promise<void> {
    return this.connection.close();
  }

  private async putAll(batches: readonly NodeBatch[], signal: AbortSignal): Promise<readonly undefined[]> {
    const shards = batches.flatMap((batch) => batch.shards);
    const records = batches.flatMap((batch) => batch.records);
    await this.call('put', encodeBatch({ shards, records }), signal);
    return batches.map(() => undefined);
  }

  private getAll(parts: readonly ShardPart[], signal: AbortSignal): Promise<readonly Found<Uint8Array>[]> {
    const bytesMax = (position: number): number => parts[position]?.length ?? SHARD_PAYLOAD_BYTES_MAX;
    return this.entries('get', encodeShardParts(parts), { count: parts.length, bytesMax, signal });
  }

  private async getAllRecords(keys: readonly RecordKey[], signal: AbortSignal): Promise<readonly Found<NodeRecord>[]> {
    const bytesMax = (): number => RECORD_HEAD_BYTES_MAX + RECORD_BYTES_MAX;
    const answers = await this.entries('records', encodeRecordKeys(keys), { count: keys.length, bytesMax, signal });
    return answers.map((answer) => (answer instanceof NodeError ? answer : decodeRecord(answer)));
  }

  private async tell(
    operation: string,
    body: Uint8Array,
    { length }: readonly unknown[],
    signal: AbortSignal,
  ): Promise<readonly undefined[]> {
    await this.call(operation, [body], signal);
    return Array.from({ length }, () => undefined);
  }

  private call(operation: string, body: readonly Uint8Array[], signal: AbortSignal): Promise<Uint8Array> {
    return this.connection.answer({ ...this.address(), operation, body }, signal);
  }

  private async verdicts(
    operation: string,
    body: Uint8Array,
    count: number,
    signal: AbortSignal,
  ): Promise<readonly (NodeError | undefined)[]> {
    const answers = await this.entries(operation, body, { count, bytesMax: () => 0, signal });
    return answers.map((answer) => (answer instanceof NodeError ? answer : undefined));
  }

  private async entries(
    operation: string,
    body: Uint8Array,
    { count, bytesMax, signal }: { count: number; bytesMax: (position: number) => number; signal: AbortSignal },
  ): Promise<readonly Found<Uint8Array>[]> {
    const reader = new EntryReader(count, bytesMax);
    const call = { ...this.address(), operation, body: [body] };
    for await (const payload of this.connection.stream(call, signal)) reader.push(payload);
    return reader.finish();
  }

  private async *walk<Item>(
    operation: string,
    decode: (payload: Uint8Array) => readonly Item[],
    signal: AbortSignal,
  ): AsyncGenerator<Item, void, undefined> {
    for await (const payload of this.connection.stream({ ...this.address(), operation }, signal)) {
      if (payload.byteLength === 0) continue; // only says that there is more to come
      for (const item of decode(payload)) {
        this.connection.admit(signal);
        yield item;
      }
    }
    this.connection.admit(signal);
  }

  private address(): { readonly clusterId: ClusterId; readonly nodeId: NodeId; readonly term: number } {
    const { clusterId, nodeId, term } = this.options;
    return { clusterId, nodeId, term: term() };
  }
}

function bytesOfBatch({ shards, records }: NodeBatch): number {
  return [...shards, ...records].reduce((sum, { bytes }) => sum + ITEM_BYTES + bytes.byteLength, 0);
}

function bytesOfParts(parts: readonly ShardPart[]): number {
  return parts.reduce((sum, { length = Infinity }) => sum + ITEM_BYTES + length, 0);
}

function bytesOfRecords({ length }: readonly RecordKey[]): number {
  return length * (ITEM_BYTES + RECORD_BYTES_USUAL);
}

function bytesOfItems({ length }: readonly unknown[]): number {
  return length * ITEM_BYTES;
}

/** A process that serves another node must not get what is meant for this one. One without a node yet says so by itself. */
function requireNode(hello: PeerHello, { number, clusterId, nodeId }: PeerNodeOptions): void {
  if (hello.number !== number) throw new NodeError('rejected', `it serves node ${hello.number}, not node ${number}`);
  if (hello.clusterId !== undefined && hello.clusterId !== clusterId)
    throw new NodeError('rejected', `it is of another cluster: ${hello.clusterId}, not ${clusterId}`);
  if (hello.nodeId !== undefined && hello.nodeId !== nodeId)
    throw new NodeError('rejected', `it has another node in this place: ${hello.nodeId}, not ${nodeId}`);
}

function requireShardIds(ids: readonly ShardId[]): void {
  const keys = new KeyEncoder();
  for (const id of ids) keys.shard(id);
}

function requireRecordKeys(keys: readonly (RecordKey & { readonly revision?: number })[]): void {
  const encoder = new KeyEncoder();
  for (const key of keys) {
    encoder.record(key);
    if (!Number.isSafeInteger(key.revision ?? 0) || (key.revision ?? 0) < 0) throw new NodeError('rejected', 'no revision');
  }
}
