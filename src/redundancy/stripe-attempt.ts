import { DomainError } from '../common/errors.js';
import type { VersionId } from '../common/ids.js';
import { NodeError, type ShardAsk } from '../nodes/storage-node.js';
import type { StripeCodec, StripeShape } from './stripe-codec.js';

/** What is to be read of one stripe. */
export interface StripeTask {
  readonly versionId: VersionId;
  readonly stripe: number;
  /** The nodes of its shards, by index. */
  readonly nodes: readonly number[];
  readonly shape: StripeShape;
  /** Indices of the data slices that are wanted. */
  readonly wanted: readonly number[];
  /** Bytes that the shard of an index must have. */
  readonly lengthOf: (index: number) => number;
  /** Nodes that must not be asked. */
  readonly avoid: ReadonlySet<number>;
}

/** `asked`, and counted on; `late` ones are not, but welcome. `out`: it failed, or is not to be asked. */
type ShardState = 'untried' | 'asked' | 'late' | 'got' | 'out';

/** Sorts nodes, the best first; may leave out those that are not worth asking. */
export type RankNodes = (nodes: readonly number[]) => readonly number[];

/**
 * The reading of one stripe: which shards to ask for next, given what came so far. Pure, so that every loss can be tested.
 * The wanted data shards are asked for themselves as long as none of them fails; else any k shards will do. With k = 1 all shards are
 * the same bytes, so the best node is asked for any of them.
 */
export class StripeAttempt {
  /** By index. One small array for each stripe: of a file in small slices there are a million. */
  private readonly states: ShardState[];
  /** The shards that came, by index. */
  private readonly got: (Uint8Array | undefined)[];
  private errors: readonly NodeError[] = [];

  constructor(private readonly task: StripeTask) {
    const { nodes, avoid } = task;
    this.states = nodes.map((node) => (avoid.has(node) ? 'out' : 'untried'));
    this.got = nodes.map(() => undefined);
  }

  nodeOf(index: number): number {
    return this.task.nodes[index] as number;
  }

  /** Bytes that the shard of an index must have. */
  lengthOf(index: number): number {
    return this.task.lengthOf(index);
  }

  /**
   * Shards to ask for now; empty while those under way are enough, or when the stripe can be decoded.
   * @param byRank sorts nodes, the best first
   * @throws DomainError when too few are left to ask
   */
  nextAsks(byRank: RankNodes): readonly ShardAsk[] {
    if (this.isComplete) return [];
    const { shape, versionId, stripe } = this.task;
    const indices = this.direct() ?? this.best(shape.k - this.count('got') - this.count('asked'), byRank);
    for (const index of indices) this.states[index] = 'asked';
    // One byte more than it must have tells that it is too long, and no node can fill the memory with more.
    return indices.map((index) => ({ versionId, stripe, index, length: this.lengthOf(index) + 1 }));
  }

  /** Shards to ask for because others are late; what comes first counts. Empty if there is nobody else to ask. */
  hedgeAsks(lateIndices: readonly number[], byRank: RankNodes): readonly ShardAsk[] {
    const late = lateIndices.filter((index) => this.states[index] === 'asked');
    for (const index of late) this.states[index] = 'late';
    const asks = this.nextAsks(byRank);
    if (asks.length === 0) for (const index of late) this.states[index] = 'asked';
    return asks;
  }

  /** Takes the answer for a shard; returns the error if it is not usable. */
  answer(index: number, answer: Uint8Array | NodeError | undefined): NodeError | undefined {
    if (answer instanceof Uint8Array && answer.length === this.task.lengthOf(index)) {
      this.states[index] = 'got';
      this.got[index] = answer;
      return undefined;
    }
    const error =
      answer instanceof NodeError ? answer : new NodeError('corrupt', 'the shard has another length than it was written with');
    this.states[index] = 'out';
    this.errors = [...this.errors, error];
    return error;
  }

  /** The wanted slices, in order. */
  decode(codec: StripeCodec): readonly Uint8Array[] {
    const { shape, wanted } = this.task;
    if (this.hasWanted) return wanted.map((index) => this.got[index] as Uint8Array);
    const shards = new Map(this.got.entries().filter((entry): entry is [number, Uint8Array] => entry[1] !== undefined));
    const slices = codec.decode(shards, shape, wanted);
    return wanted.map((index, at) => {
      const slice = slices[at] as Uint8Array;
      const length = this.task.lengthOf(index);
      return slice.length === length ? slice : slice.subarray(0, length); // as it is, it is still known as proven
    });
  }

  get isComplete(): boolean {
    return this.hasWanted || this.count('got') >= this.task.shape.k;
  }

  private get hasWanted(): boolean {
    return this.task.wanted.every((index) => this.states[index] === 'got');
  }

  /** The data shards that are still wanted, if none of them has failed or is late; with k = 1 any other one is as good. */
  private direct(): readonly number[] | undefined {
    const { shape, wanted } = this.task;
    if (shape.k === 1) return undefined;
    const missing = wanted.filter((index) => this.states[index] !== 'got' && this.states[index] !== 'asked');
    return missing.every((index) => this.states[index] === 'untried') ? missing : undefined;
  }

  private count(state: ShardState): number {
    let count = 0;
    for (const one of this.states) if (one === state) count += 1;
    return count;
  }

  private best(count: number, byRank: RankNodes): readonly number[] {
    const { nodes, shape } = this.task;
    if (nodes.length - this.count('out') < shape.k) throw this.lost();
    if (count <= 0) return [];
    const ranked = byRank(nodes.filter((_, index) => this.states[index] === 'untried'));
    const indices: number[] = [];
    for (let at = 0; at < Math.min(count, ranked.length); at += 1) indices.push(nodes.indexOf(ranked[at] as number));
    return indices;
  }

  /** Too few shards are left; what was wrong with the others tells whether waiting may help. */
  private lost(): DomainError {
    const { stripe } = this.task;
    const options = { cause: this.errors.at(-1) };
    const mayReturn = this.errors.some(({ kind }) => kind === 'unavailable' || kind === 'rejected');
    return mayReturn
      ? new DomainError('data-unavailable', `too few nodes that hold stripe ${stripe} can be read now`, options)
      : new DomainError('data-damaged', `too few intact shards of stripe ${stripe} are left`, options);
  }
}
