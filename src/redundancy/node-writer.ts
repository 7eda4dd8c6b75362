import { type CallClass, writeClass } from '../nodes/node-latencies.js';
import type { NodeRegistry } from '../nodes/node-registry.js';
import { type NodeBatch, NodeError } from '../nodes/storage-node.js';

/** A write that takes so many times what it usually takes is late. */
const SLOW_FACTOR = 4;

/** A batch on its way to a node. */
export interface NodePut {
  readonly number: number;
  readonly batch: NodeBatch;
  /** Whether it could go to another node now; asked when it is late. */
  readonly mayMove: () => boolean;
  /** Told of a put that failed, or was given up, and that may yet arrive: when it has settled, whatever came of it. */
  readonly onLeft?: (settled: Promise<unknown>) => void;
}

/** Puts batches on nodes, and does not wait for a node that is late if there is another one. */
export class NodeWriter {
  constructor(
    private readonly registry: NodeRegistry,
    private readonly slowMsMin: number,
  ) {}

  /** Resolves with undefined when the batch is durable, and with the error if it has to go elsewhere: then it may still arrive. */
  async put({ number, batch, mayMove, onLeft }: NodePut, signal: AbortSignal): Promise<NodeError | undefined> {
    const kind = writeClass([...batch.shards, ...batch.records].reduce((sum, { bytes }) => sum + bytes.length, 0));
    const giveUp = new AbortController();
    const started = this.registry.now();
    let left: Promise<unknown> = Promise.resolve();
    const call = this.registry.call(
      number,
      (node, limit) => {
        const put = node.put(batch, limit);
        left = put.catch(() => undefined);
        return put;
      },
      { signal: AbortSignal.any([signal, giveUp.signal]), latency: kind },
    );
    const patience = this.patience(number, kind, mayMove);
    try {
      const late = await Promise.race([call.then(() => undefined), patience.over]);
      if (late === undefined) return undefined;
      this.registry.late(number, kind, this.registry.now() - started);
      giveUp.abort(late);
      onLeft?.(left);
      return late;
    } catch (error) {
      if (!(error instanceof NodeError)) throw error;
      onLeft?.(left);
      return error;
    } finally {
      patience.end();
    }
  }

  /** Runs out when a call is late and may move; begins anew as long as it may not. */
  private patience(
    number: number,
    kind: CallClass,
    mayMove: () => boolean,
  ): { readonly over: Promise<NodeError>; readonly end: () => void } {
    const { promise: over, resolve } = Promise.withResolvers<NodeError>();
    const ms = this.patienceMs(number, kind);
    let timer: NodeJS.Timeout | undefined;
    let hasEnded = false;
    const onTime = (): void => {
      if (hasEnded) return;
      if (mayMove()) resolve(new NodeError('unavailable', `a write was not done after ${Math.round(ms)} ms`));
      else begin();
    };
    // An answer that came while this process was busy with other things is taken before the second step.
    const begin = (): void => void (timer = setTimeout(() => setImmediate(onTime), ms));
    begin();
    const end = (): void => {
      hasEnded = true;
      clearTimeout(timer);
    };
    return { over, end };
  }

  /**
   * How long a write may take. Compared with the node's own writes, and with those of the others: when all are slow, because there is
   * much to do, moving writes about would give them even more.
   */
  private patienceMs(number: number, kind: CallClass): number {
    const { registry } = this;
    if (!registry.has(number)) return this.slowMsMin;
    const own = registry.latencies(number).p95(kind) ?? 0;
    const others = registry
      .writable()
      .filter((other) => other !== number)
      .flatMap((other) => registry.latencies(other).observedP95(kind) ?? [])
      .sort((a, b) => a - b);
    const usual = others[Math.floor((others.length - 1) / 2)] ?? 0;
    return Math.max(this.slowMsMin, SLOW_FACTOR * Math.max(own, usual));
  }
}
