import { type CallClass, readClass } from '../nodes/node-latencies.js';
import type { NodeRegistry } from '../nodes/node-registry.js';
import { NodeError, type ShardId } from '../nodes/storage-node.js';
import type { Hedging } from './hedging.js';
import type { StripeAttempt } from './stripe-attempt.js';

export interface FetchParts {
  readonly registry: NodeRegistry;
  /** When to ask a second node; without it each read waits for the one that it asked, as long as that one does not fail. */
  readonly hedging?: Hedging;
  /** Told of each shard that is not what was put: missing or damaged. */
  readonly onDamage: (node: number, shard: ShardId, error: NodeError) => void;
}

interface Ask {
  readonly attempt: StripeAttempt;
  readonly id: ShardId;
}

/** One request to one node, for shards of several stripes. */
interface ShardCall {
  readonly number: number;
  readonly asks: readonly Ask[];
  readonly kind: CallClass;
  readonly started: number;
  readonly stop: AbortController;
  timer: NodeJS.Timeout | undefined;
  isLate: boolean;
}

/** Why a request is given up: the bytes came from elsewhere. */
const LOST = new NodeError('unavailable', 'another node was faster');

/**
 * Gets the shards that a batch of stripes needs: asks the best nodes, asks others for what fails or is late, and gives up what is not needed
 * any more. No stripe is asked for a shard twice, so none costs more than m further requests. For one use.
 */
export class StripeFetch {
  private readonly calls = new Set<ShardCall>();
  private readonly done = Promise.withResolvers<undefined>();

  constructor(
    private readonly parts: FetchParts,
    private readonly attempts: readonly StripeAttempt[],
    private readonly signal: AbortSignal,
  ) {}

  /** Resolves when all stripes can be decoded. @throws DomainError `data-unavailable` or `data-damaged` */
  async run(): Promise<void> {
    this.signal.throwIfAborted();
    const onAbort = (): void => this.done.reject(this.signal.reason);
    this.signal.addEventListener('abort', onAbort, { once: true });
    try {
      this.ask(this.attempts);
      await this.done.promise;
    } finally {
      this.signal.removeEventListener('abort', onAbort);
      for (const call of this.calls) this.giveUp(call);
    }
  }

  private ask(attempts: readonly StripeAttempt[]): void {
    const { registry, hedging } = this.parts;
    const rank = registry.readRanking(kindOf(attempts));
    const asks = attempts.flatMap((attempt) => attempt.nextAsks(rank).map((id) => ({ attempt, id })));
    for (const group of byNode(asks)) {
      hedging?.earn();
      this.start(group);
    }
    if (this.attempts.every(({ isComplete }) => isComplete)) this.done.resolve(undefined);
  }

  private start({ number, asks }: { readonly number: number; readonly asks: readonly Ask[] }): void {
    const kind = readClass(asks.reduce((sum, { attempt, id }) => sum + attempt.lengthOf(id.index), 0));
    const { registry } = this.parts;
    const stop = new AbortController();
    const call: ShardCall = { number, asks, kind, started: registry.now(), stop, timer: undefined, isLate: false };
    this.calls.add(call);
    this.expect(call);
    void this.perform(call);
  }

  /** Waits for a call as long as such a call usually takes on its node. */
  private expect(call: ShardCall): void {
    const { registry, hedging } = this.parts;
    if (hedging === undefined || !registry.has(call.number)) return;
    const delayMs = hedging.delayMs(registry.latencies(call.number), call.kind);
    // What came while this process was busy with other things is not late: it is taken before the second step.
    call.timer = setTimeout(() => setImmediate(() => this.onTime(call)), delayMs);
  }

  private onTime(call: ShardCall): void {
    if (!this.calls.has(call)) return;
    if (!this.hedge(call)) this.expect(call);
  }

  /** Asks others for what a call is late with. False if it cannot be done now. */
  private hedge(call: ShardCall): boolean {
    const { registry, hedging } = this.parts;
    if (hedging?.mayHedge !== true) return false;
    const reachable = new Set(registry.reachable());
    const ranking = registry.readRanking(call.kind);
    const rank = (nodes: readonly number[]): readonly number[] => ranking(nodes).filter((node) => reachable.has(node));
    const asks = [...Map.groupBy(call.asks, ({ attempt }) => attempt)].flatMap(([attempt, group]) => {
      const late = group.map(({ id }) => id.index);
      return attempt.hedgeAsks(late, rank).map((id) => ({ attempt, id }));
    });
    const groups = byNode(asks);
    if (groups.length === 0) return false;
    hedging.spend(groups.length);
    call.isLate = true;
    for (const group of groups) this.start(group);
    return true;
  }

  private async perform(call: ShardCall): Promise<void> {
    try {
      const answers = await this.request(call);
      if (this.calls.has(call)) this.take(call, answers);
    } catch (error) {
      // Of a call that was given up nobody wants to hear, and by then nobody listens.
      if (!call.stop.signal.aborted) this.done.reject(error);
    }
  }

  private async request({ number, asks, kind, stop }: ShardCall): Promise<readonly (Uint8Array | NodeError)[]> {
    const ids = asks.map(({ id }) => id);
    const options = { signal: stop.signal, latency: kind };
    try {
      return await this.parts.registry.call(number, (node, signal) => node.get(ids, signal), options);
    } catch (error) {
      if (error instanceof NodeError) return ids.map(() => error);
      throw error;
    }
  }

  private take(call: ShardCall, answers: readonly (Uint8Array | NodeError)[]): void {
    clearTimeout(call.timer);
    this.calls.delete(call);
    call.asks.forEach(({ attempt, id }, at) => {
      const error = attempt.answer(id.index, answers[at]);
      if (error?.kind === 'corrupt' || error?.kind === 'not-found') this.parts.onDamage(call.number, id, error);
    });
    this.ask([...new Set(call.asks.map(({ attempt }) => attempt))]);
    for (const other of this.calls) if (other.asks.every(({ attempt }) => attempt.isComplete)) this.giveUp(other);
  }

  private giveUp(call: ShardCall): void {
    clearTimeout(call.timer);
    this.calls.delete(call);
    const { registry } = this.parts;
    if (call.isLate) registry.late(call.number, call.kind, registry.now() - call.started);
    call.stop.abort(LOST);
  }
}

function kindOf(attempts: readonly StripeAttempt[]): CallClass {
  return readClass(attempts.reduce((sum, attempt) => sum + attempt.lengthOf(0), 0));
}

function byNode(asks: readonly Ask[]): readonly { readonly number: number; readonly asks: readonly Ask[] }[] {
  const groups = Map.groupBy(asks, ({ attempt, id }) => attempt.nodeOf(id.index));
  return [...groups].map(([number, group]) => ({ number, asks: group }));
}
