import { pullShards } from '../../src/nodes/peer/peer-pull.js';
import {
  NodeError,
  StorageNode,
  type NodeBatch,
  type NodeErrorKind,
  type NodeProbe,
  type NodeRecord,
  type RecordHead,
  type RecordKey,
  type ShardCopy,
  type ShardId,
} from '../../src/nodes/storage-node.js';
import { randomOf } from './storage-node.shards.js';

export type CallName = 'put' | 'get' | 'check' | 'delete' | 'getRecords' | 'forget' | 'listRecords' | 'list' | 'probe';

/**
 * What goes wrong:
 * - `fail`: the call rejects with a NodeError of this kind (a `get` or `getRecords` with `each` true: every entry of its answer is that error);
 * - `delayMs`: the call takes that much longer, and hears its signal meanwhile;
 * - `hang`: the call waits for {@link FaultyStorageNode.release} and hears no signal, as a frozen disk does;
 * - `corrupt`, `truncate`: `put` stores, and `get` and `getRecords` return, bytes that are not those of the shard or record, as if they were: a node that lies.
 */
export type Effect =
  | { readonly fail: NodeErrorKind; readonly each?: boolean }
  | { readonly delayMs: number }
  | { readonly hang: true }
  | { readonly corrupt: true }
  | { readonly truncate: true };

/** When it goes wrong: in each of these calls, in the n-th one only (from 1), or with these odds (by the seed). */
export interface Fault {
  readonly on: CallName;
  readonly effect: Effect;
  readonly nth?: number;
  readonly odds?: number;
}

/** A `StorageNode` around a `StorageNode` that fails on demand. The same seed and the same calls give the same failures. */
export class FaultyStorageNode extends StorageNode {
  /** How often each call was made, failed ones included. */
  readonly calls: Record<CallName, number> = {
    put: 0,
    get: 0,
    check: 0,
    delete: 0,
    getRecords: 0,
    forget: 0,
    listRecords: 0,
    list: 0,
    probe: 0,
  };
  /** Lets it copy shards by itself, as a peer does. */
  sourceOf: ((number: number) => StorageNode) | undefined;
  private readonly faults = new Set<Fault>();
  private readonly random: () => number;
  private hung = Promise.withResolvers<undefined>();

  constructor(
    private readonly inner: StorageNode,
    options: { readonly seed?: number; readonly faults?: readonly Fault[] } = {},
  ) {
    super();
    this.random = randomOf(options.seed ?? 1);
    for (const fault of options.faults ?? []) this.faults.add(fault);
  }

  override get number(): number {
    return this.inner.number;
  }

  /** Adds a fault; returns how to mend it. */
  inject(fault: Fault): () => void {
    this.faults.add(fault);
    return () => void this.faults.delete(fault);
  }

  /** Mends everything and lets go of the calls that hang. */
  release(): void {
    this.faults.clear();
    this.hung.resolve(undefined);
    this.hung = Promise.withResolvers<undefined>();
  }

  override async put({ shards, records }: NodeBatch, signal: AbortSignal): Promise<void> {
    const effects = await this.enter('put', signal);
    const distorted = <Item extends { readonly bytes: Uint8Array }>(item: Item): Item => ({
      ...item,
      bytes: this.distort(item.bytes, effects),
    });
    await this.inner.put({ shards: shards.map(distorted), records: records.map(distorted) }, signal);
  }

  override async get(ids: readonly ShardId[], signal: AbortSignal): Promise<readonly (Uint8Array | NodeError)[]> {
    const effects = await this.enter('get', signal);
    const each = effects.find((effect) => 'fail' in effect);
    if (each !== undefined) return ids.map(() => new NodeError(each.fail, 'injected'));
    const answers = await this.inner.get(ids, signal);
    return answers.map((answer) => (answer instanceof NodeError ? answer : this.distort(answer, effects)));
  }

  override pull(source: number, copies: readonly ShardCopy[], signal: AbortSignal): Promise<readonly (NodeError | undefined)[]> {
    const { sourceOf } = this;
    if (sourceOf === undefined) return super.pull(source, copies, signal);
    return pullShards({ source: sourceOf(source), target: this }, copies, signal);
  }

  override async check(ids: readonly ShardId[], signal: AbortSignal): Promise<readonly (NodeError | undefined)[]> {
    const each = (await this.enter('check', signal)).find((effect) => 'fail' in effect);
    return each === undefined ? this.inner.check(ids, signal) : ids.map(() => new NodeError(each.fail, 'injected'));
  }

  override async delete(ids: readonly ShardId[], signal: AbortSignal): Promise<void> {
    await this.enter('delete', signal);
    await this.inner.delete(ids, signal);
  }

  override async getRecords(keys: readonly RecordKey[], signal: AbortSignal): Promise<readonly (NodeRecord | NodeError)[]> {
    const effects = await this.enter('getRecords', signal);
    const each = effects.find((effect) => 'fail' in effect);
    if (each !== undefined) return keys.map(() => new NodeError(each.fail, 'injected'));
    const answers = await this.inner.getRecords(keys, signal);
    return answers.map((answer) =>
      answer instanceof NodeError ? answer : { ...answer, bytes: this.distort(answer.bytes, effects) },
    );
  }

  override async forget(heads: readonly RecordHead[], signal: AbortSignal): Promise<void> {
    await this.enter('forget', signal);
    await this.inner.forget(heads, signal);
  }

  override async *listRecords(signal: AbortSignal): AsyncGenerator<RecordHead, void, undefined> {
    await this.enter('listRecords', signal);
    yield* this.inner.listRecords(signal);
  }

  override async *list(signal: AbortSignal): AsyncGenerator<ShardId, void, undefined> {
    await this.enter('list', signal);
    yield* this.inner.list(signal);
  }

  override async probe(signal: AbortSignal): Promise<NodeProbe> {
    await this.enter('probe', signal);
    return this.inner.probe(signal);
  }

  override close(): Promise<void> {
    return this.inner.close();
  }

  /** Does what delays or fails the call, and returns the effects that are left for its bytes. */
  private async enter(call: CallName, signal: AbortSignal): Promise<readonly Effect[]> {
    signal.throwIfAborted();
    const effects = this.effectsOf(call, ++this.calls[call]);
    const left: Effect[] = [];
    for (const effect of effects) {
      if ('hang' in effect) await this.hung.promise;
      else if ('delayMs' in effect) await sleep(effect.delayMs, signal);
      else if ('fail' in effect && effect.each !== true) throw new NodeError(effect.fail, `injected into ${call}`);
      else left.push(effect);
    }
    return left;
  }

  private effectsOf(call: CallName, count: number): readonly Effect[] {
    return [...this.faults]
      .filter((fault) => fault.on === call && (fault.nth === undefined || fault.nth === count))
      .filter((fault) => fault.odds === undefined || this.random() < fault.odds)
      .map((fault) => fault.effect);
  }

  private distort(bytes: Uint8Array, effects: readonly Effect[]): Uint8Array {
    let distorted = bytes;
    for (const effect of effects) {
      if ('corrupt' in effect) distorted = this.withFlippedBit(distorted);
      if ('truncate' in effect) distorted = distorted.subarray(0, Math.floor(distorted.byteLength / 2));
    }
    return distorted;
  }

  private withFlippedBit(bytes: Uint8Array): Uint8Array {
    if (bytes.byteLength === 0) return bytes;
    const flipped = bytes.slice();
    const bit = Math.floor(this.random() * bytes.byteLength * 8);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    return flipped;
  }
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const onAbort = (): void => reject(signal.reason);
  const timer = setTimeout(() => resolve(undefined), ms);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}
