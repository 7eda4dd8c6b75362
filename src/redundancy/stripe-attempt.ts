import { DomainError } from '../common/errors.js';
import type { VersionId } from '../common/ids.js';
import { NodeError, type ShardId } from '../nodes/storage-node.js';
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

/** Sorts nodes, the best first; may leave out those that are not worth asking. */
export type RankNodes = (nodes: readonly number[]) => readonly number[];

/**
 * The reading of one stripe: which shards to ask for next, given what came so far. Pure, so that every loss can be tested.
 * The wanted data shards are asked for themselves as long as none of them fails; else any k shards will do. With k = 1 all shards are
 * the same bytes, so the best node is asked for any of them.
 */
export class StripeAttempt {
  private readonly got = new Map<number, Uint8Array>();
  private readonly untried: Set<number>;
  /** Asked for and not answered yet; those of them that are late are not counted on, but welcome. */
  private readonly underWay = new Set<number>();
  private readonly late = new Set<number>();
  private readonly errors: NodeError[] = [];

  constructor(private readonly task: StripeTask) {
    this.untried = new Set(task.nodes.keys().filter((index) => !task.avoid.has(this.nodeOf(index))));
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
  nextAsks(byRank: RankNodes): readonly ShardId[] {
    if (this.isComplete) return [];
    const { shape, wanted, versionId, stripe } = this.task;
    const missing = wanted.filter((index) => !this.got.has(index) && !this.isExpected(index));
    const canAskDirectly = shape.k > 1 && missing.every((index) => this.untried.has(index));
    const expected = this.underWay.size - this.late.size;
    const indices = canAskDirectly ? missing : this.best(shape.k - this.got.size - expected, byRank);
    for (const index of indices) {
      this.untried.delete(index);
      this.underWay.add(index);
    }
    return indices.map((index) => ({ versionId, stripe, index }));
  }

  /** Shards to ask for because others are late; what comes first counts. Empty if there is nobody else to ask. */
  hedgeAsks(lateIndices: readonly number[], byRank: RankNodes): readonly ShardId[] {
    const late = lateIndices.filter((index) => this.isExpected(index));
    for (const index of late) this.late.add(index);
    const asks = this.nextAsks(byRank);
    if (asks.length === 0) for (const index of late) this.late.delete(index);
    return asks;
  }

  /** Takes the answer for a shard; returns the error if it is not usable. */
  answer(index: number, answer: Uint8Array | NodeError | undefined): NodeError | undefined {
    this.underWay.delete(index);
    this.late.delete(index);
    if (answer instanceof Uint8Array && answer.length === this.task.lengthOf(index)) {
      this.got.set(index, answer);
      return undefined;
    }
    const error =
      answer instanceof NodeError ? answer : new NodeError('corrupt', 'the shard has another length than it was written with');
    this.errors.push(error);
    return error;
  }

  /** The wanted slices, in order. */
  decode(codec: StripeCodec): readonly Uint8Array[] {
    const { shape, wanted } = this.task;
    if (shape.k > 1 && wanted.every((index) => this.got.has(index)))
      return wanted.map((index) => this.got.get(index) as Uint8Array);
    const slices = codec.decode(this.got, shape, wanted);
    return wanted.map((index, at) => {
      const slice = slices[at] as Uint8Array;
      const length = this.task.lengthOf(index);
      return slice.length === length ? slice : slice.subarray(0, length); // as it is, it is still known as proven
    });
  }

  get isComplete(): boolean {
    const { shape, wanted } = this.task;
    return this.got.size >= shape.k || wanted.every((index) => this.got.has(index));
  }

  private isExpected(index: number): boolean {
    return this.underWay.has(index) && !this.late.has(index);
  }

  private best(count: number, byRank: RankNodes): readonly number[] {
    if (this.got.size + this.underWay.size + this.untried.size < this.task.shape.k) throw this.lost();
    if (count <= 0) return [];
    const { nodes } = this.task;
    const ranked = byRank([...this.untried].map((index) => this.nodeOf(index)));
    return ranked.slice(0, count).map((node) => nodes.indexOf(node));
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
