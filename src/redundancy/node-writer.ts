import { leavable } from '../common/leavable.js';
import { type CallClass, writeClass } from '../nodes/node-latencies.js';
import type { NodeRegistry } from '../nodes/node-registry.js';
import { type NodeBatch, NodeError, type StorageNode } from '../nodes/storage-node.js';

/** A write that takes so many times what it usually takes is late. */
const SLOW_FACTOR = 4;

/** A put that was given up because another node can be tried. The node may well take others, and this one yet. */
export class LateError extends NodeError {}

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
  async put(nodePut: NodePut, signal: AbortSignal): Promise<NodeError | undefined> {
    const { number, batch } = nodePut;
    const latency = writeClass(bytesOf(batch.shards) + bytesOf(batch.records));
    let put: Promise<void> | undefined;
    const run = (node: StorageNode, limit: AbortSignal): Promise<void> => (put = node.put(batch, limit));
    let endPatience = (): void => undefined;
    try {
      const { result, leave } = leavable((limit) => this.registry.call(number, run, { signal: limit, latency }), signal);
      endPatience = this.beginPatience(nodePut, latency, leave);
      await result;
      return undefined;
    } catch (error) {
      if (!(error instanceof NodeError)) throw error;
      nodePut.onLeft?.(Promise.resolve(put).catch(() => undefined));
      return error;
    } finally {
      endPatience();
    }
  }

  /**
   * Leaves a put when it is late and may move; begins anew as long as it may not. Returns what ends that.
   * Nearly all puts are done before any of them could be late, so how long it may take is only found out after that time.
   */
  private beginPatience({ number, mayMove }: NodePut, kind: CallClass, leave: (late: NodeError) => void): () => void {
    const { registry, slowMsMin } = this;
    const started = registry.now();
    let patienceMs: number | undefined;
    let hasEnded = false;
    const onTime = (): void => {
      if (hasEnded) return;
      const waitedMs = Math.max(slowMsMin, registry.now() - started); // a timer may be early by a fraction
      patienceMs ??= this.patienceMs(number, kind);
      if (waitedMs < patienceMs) wait(patienceMs - waitedMs);
      else if (!mayMove()) wait(patienceMs);
      else {
        registry.late(number, kind, waitedMs);
        leave(new LateError('unavailable', `a write was not done after ${Math.round(patienceMs)} ms`));
      }
    };
    let timer: NodeJS.Timeout | undefined;
    // An answer that came while this process was busy with other things is taken before the second step.
    const wait = (ms: number): void => void (timer = setTimeout(() => setImmediate(onTime), ms));
    wait(slowMsMin);
    return () => {
      hasEnded = true;
      clearTimeout(timer);
    };
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

function bytesOf(items: readonly { readonly bytes: Uint8Array }[]): number {
  return items.reduce((sum, { bytes }) => sum + bytes.length, 0);
}
