import { DomainError } from '../common/errors.js';
import type { NodeRegistry } from '../nodes/node-registry.js';
import type { Shard } from '../nodes/storage-node.js';
import type { Placement } from '../placement/placement.js';
import { LateError, type NodeWriter } from './node-writer.js';
import type { Stripe } from './stripe-batches.js';
import type { WriteLedger } from './write-ledger.js';

interface Assignment {
  readonly shard: Shard;
  /** The nodes of its stripe: position `shard.index` is its own. */
  readonly row: number[];
}

/** One call of {@link StripeStore.put}. */
interface Batch {
  readonly ledger: WriteLedger;
  /** Nodes that failed for some of it. */
  readonly lost: Set<number>;
  /** Nodes that were late with some of it: they are taken again where there are no others. */
  readonly late: Set<number>;
}

/**
 * Puts the shards of a batch of stripes on distinct nodes and resolves when all are durable. A node that fails, or is late, is replaced at
 * once by another one, for its shards alone.
 */
export class StripeStore {
  constructor(
    private readonly registry: NodeRegistry,
    private readonly placement: Placement,
    private readonly writer: NodeWriter,
  ) {}

  /** @throws DomainError `not-enough-nodes` if a stripe of this width cannot be stored now */
  assertWritable(width: number): void {
    if (this.registry.writable().length < width) throw this.notEnough(width);
  }

  /** Goes on with each node that leaves, for {@link requireSame}. */
  get retirements(): number {
    return this.registry.retirements;
  }

  /** @throws DomainError `not-enough-nodes` if one of these nodes has left since, or got another disk: what was put there may be gone */
  requireSame(nodes: Iterable<number>, retirements: number): void {
    for (const node of nodes)
      if (!this.registry.isSame(node, retirements))
        throw new DomainError('not-enough-nodes', `node ${node} has left or got another disk while this was stored on it`);
  }

  /**
   * @param ledger told of each choice before it is acted on
   * @throws DomainError `not-enough-nodes`; by then no put is under way any more but those that were given up, which the ledger knows
   */
  async put(stripes: readonly Stripe[], ledger: WriteLedger, signal: AbortSignal): Promise<void> {
    const [first] = stripes;
    const choose = first && this.chooser(first.shards.length);
    const assignments = stripes.flatMap((stripe) => this.assign(stripe, ledger, choose));
    await this.putAll(assignments, { ledger, lost: new Set(), late: new Set() }, signal);
  }

  /**
   * What chooses distinct nodes for the shards of one stripe after the other, and counts them, as long as nothing else happens meanwhile.
   * @throws DomainError `not-enough-nodes`
   */
  chooser(width: number): () => readonly number[] {
    const choose = this.placement.series({ width, candidates: this.candidates(width) });
    if (choose === undefined) throw this.notEnough(width);
    return choose;
  }

  /** The nodes for a stripe that is there, by the index of its shards. @throws DomainError `not-enough-nodes` */
  place({ shards }: Stripe, ledger: WriteLedger, choose = this.chooser(shards.length)): number[] {
    const nodes = choose();
    const row = turned(nodes, shards[0]?.k === 1 ? 0 : this.placement.files(nodes[0] as number));
    ledger.placed(row, shards);
    return row;
  }

  private assign(stripe: Stripe, ledger: WriteLedger, choose: (() => readonly number[]) | undefined): readonly Assignment[] {
    const row = this.place(stripe, ledger, choose);
    return stripe.shards.map((shard) => ({ shard, row }));
  }

  /** One put for each node. Ends when all have settled, those that had to move included. */
  private async putAll(assignments: readonly Assignment[], batch: Batch, signal: AbortSignal): Promise<void> {
    const puts = [...Map.groupBy(assignments, nodeOf)].map(([number, group]) => this.putTo(number, group, batch, signal));
    const settled = await Promise.allSettled(puts);
    const failed = settled.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  private async putTo(number: number, group: readonly Assignment[], batch: Batch, signal: AbortSignal): Promise<void> {
    const mayMove = (): boolean => group.every(({ row }) => this.prompt(this.fresh(row, batch)).length > 0);
    const shards = group.map(({ shard }) => shard);
    const error = await this.writer.put({ number, batch: { shards, records: [] }, mayMove }, signal);
    if (error === undefined) return;
    (error instanceof LateError ? batch.late : batch.lost).add(number);
    for (const assignment of group) this.move(assignment, batch);
    await this.putAll(group, batch, signal);
  }

  /** Gives a shard to another node than those of its stripe and those that failed in this batch. */
  private move({ shard, row }: Assignment, batch: Batch): void {
    const fresh = this.fresh(row, batch);
    const choices = [this.prompt(fresh), fresh, this.others(row, batch)];
    const candidates = choices.find(({ length }) => length > 0) ?? [];
    const [node] = this.placement.place({ width: 1, candidates }) ?? [];
    if (node === undefined) throw this.notEnough(row.length);
    this.placement.release(row[shard.index] as number, 1);
    batch.ledger.moved(row, shard, node);
  }

  /** Those that have not been late with any of the batch. */
  private fresh(row: readonly number[], batch: Batch): readonly number[] {
    return this.others(row, batch).filter((node) => !batch.late.has(node));
  }

  private others(row: readonly number[], { lost }: Batch): readonly number[] {
    return this.registry.writable().filter((node) => !row.includes(node) && !lost.has(node));
  }

  /** The nodes for a stripe of this width: late ones only if there are not enough others. */
  private candidates(width: number): readonly number[] {
    const writable = this.registry.writable();
    const prompt = this.prompt(writable);
    return prompt.length < width ? writable : prompt;
  }

  /** Those that were not late with a write just now. */
  private prompt(nodes: readonly number[]): readonly number[] {
    return nodes.filter((node) => !this.registry.isLate(node));
  }

  private notEnough(width: number): DomainError {
    return new DomainError(
      'not-enough-nodes',
      `each stripe needs ${width} nodes and ${this.registry.writable().length} take new shards now`,
    );
  }
}

/**
 * The same nodes in another order for each stripe: where all of them are taken each time, parity would otherwise always lie on the last
 * ones, which then nobody reads from. Copies are read from any node.
 */
function turned(nodes: readonly number[], by: number): number[] {
  const first = by % nodes.length;
  return [...nodes.slice(first), ...nodes.slice(0, first)];
}

function nodeOf({ shard, row }: Assignment): number {
  return row[shard.index] as number;
}
