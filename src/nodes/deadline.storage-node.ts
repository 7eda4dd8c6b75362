import { leavable } from '../common/leavable.js';
import {
  NodeError,
  StorageNode,
  type NodeBatch,
  type NodeProbe,
  type NodeRecord,
  type RecordHead,
  type RecordKey,
  type ShardAsk,
  type ShardCopy,
  type ShardId,
} from './storage-node.js';

/**
 * Gives each call to a node a time limit: what takes longer is aborted and answered `unavailable`. A disk that hangs (a dead mount, a
 * controller that resets) hears no signal, so the call is also raced against its limit, and left behind if it loses.
 */
export class DeadlineStorageNode extends StorageNode {
  constructor(
    private readonly inner: StorageNode,
    private readonly callMsMax: number,
  ) {
    super();
  }

  override get number(): number {
    return this.inner.number;
  }

  override put(batch: NodeBatch, signal: AbortSignal): Promise<void> {
    return this.limited((limit) => this.inner.put(batch, limit), signal);
  }

  override get(ids: readonly ShardAsk[], signal: AbortSignal): Promise<readonly (Uint8Array | NodeError)[]> {
    return this.limited((limit) => this.inner.get(ids, limit), signal);
  }

  override pull(source: number, copies: readonly ShardCopy[], signal: AbortSignal): Promise<readonly (NodeError | undefined)[]> {
    return this.limited((limit) => this.inner.pull(source, copies, limit), signal);
  }

  override check(ids: readonly ShardId[], signal: AbortSignal): Promise<readonly (NodeError | undefined)[]> {
    return this.limited((limit) => this.inner.check(ids, limit), signal);
  }

  override delete(ids: readonly ShardId[], signal: AbortSignal): Promise<void> {
    return this.limited((limit) => this.inner.delete(ids, limit), signal);
  }

  override probe(signal: AbortSignal): Promise<NodeProbe> {
    return this.limited((limit) => this.inner.probe(limit), signal);
  }

  override getRecords(keys: readonly RecordKey[], signal: AbortSignal): Promise<readonly (NodeRecord | NodeError)[]> {
    return this.limited((limit) => this.inner.getRecords(keys, limit), signal);
  }

  override forget(heads: readonly RecordHead[], signal: AbortSignal): Promise<void> {
    return this.limited((limit) => this.inner.forget(heads, limit), signal);
  }

  override listRecords(signal: AbortSignal): AsyncGenerator<RecordHead, void, undefined> {
    return this.walk((limit) => this.inner.listRecords(limit), signal);
  }

  override list(signal: AbortSignal): AsyncGenerator<ShardId, void, undefined> {
    return this.walk((limit) => this.inner.list(limit), signal);
  }

  override close(): Promise<void> {
    return this.limited(() => this.inner.close(), new AbortController().signal);
  }

  /** The limit is on each step, not on the walk: how long that takes is a matter of how much there is. */
  private async *walk<Item>(
    begin: (limit: AbortSignal) => AsyncIterable<Item>,
    signal: AbortSignal,
  ): AsyncGenerator<Item, void, undefined> {
    const walk = new AbortController();
    const iterator = begin(walk.signal)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const step = await this.limited(() => iterator.next(), signal, walk);
        if (step.done === true) return;
        yield step.value;
      }
    } finally {
      const ended = Promise.resolve(iterator.return?.()).catch(() => undefined);
      // Not awaited when a step was left behind: the end of the walk waits for that step.
      if (!walk.signal.aborted) await this.limited(() => ended, walk.signal);
    }
  }

  /**
   * A timer of its own and not `AbortSignal.timeout`, whose timer runs to its end even when the call took a millisecond: a busy node
   * would have hundreds of thousands of them.
   */
  private async limited<Result>(
    call: (limit: AbortSignal) => Promise<Result>,
    signal: AbortSignal,
    controller?: AbortController,
  ): Promise<Result> {
    const { result, leave } = leavable(call, signal, controller);
    const onLimit = (): void => leave(new NodeError('unavailable', `did not answer within ${this.callMsMax} ms`));
    const timer = setTimeout(onLimit, this.callMsMax);
    try {
      return await result;
    } finally {
      clearTimeout(timer);
    }
  }
}
