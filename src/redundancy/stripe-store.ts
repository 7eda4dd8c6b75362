import { DomainError } from '../common/errors.js';
import { NodeRegistry } from '../nodes/node-registry.js';
import { NodeError, type Shard } from '../nodes/storage-node.js';
import { Placement } from '../placement/placement.js';
import type { Stripe } from './stripe-batches.js';
import type { WriteLedger } from './write-ledger.js';

interface Assignment {
  readonly shard: Shard;
  /** The nodes of its stripe: position `shard.index` is its own. */
  readonly row: number[];
}

/**
 * Puts the shards of a batch of stripes on distinct nodes and resolves when all are durable. A node that fails is replaced at once by
 * another one, for its shards alone.
 */
export class StripeStore {
  constructor(
    private readonly registry: NodeRegistry,
    private readonly placement: Placement,
  ) {}

  /** @throws DomainError `not-enough-nodes` if a stripe of this width cannot be stored now */
  assertWritable(width: number): void {
    if (this.registry.writable().length < width) throw this.notEnough(width);
  }

  /**
   * @param ledger told of each choice before it is acted on
   * @throws DomainError `not-enough-nodes`; by then no put is under way any more
   */
  async put(stripes: readonly Stripe[], ledger: WriteLedger, signal: AbortSignal): Promise<void> {
    let pending: readonly Assignment[] = stripes.flatMap((stripe) => this.assign(stripe, ledger));
    const lost = new Set<number>();
    while (pending.length > 0) {
      const failed = await this.putOnce(pending, signal);
      for (const assignment of failed) lost.add(nodeOf(assignment));
      for (const assignment of failed) this.move(assignment, lost, ledger);
      pending = failed;
    }
  }

  /** Chooses distinct nodes for the shards of a stripe, by index. @throws DomainError `not-enough-nodes` */
  place({ shards }: Stripe, ledger: WriteLedger): number[] {
    const nodes = this.placement.place({ width: shards.length, candidates: this.registry.writable() });
    if (nodes === undefined) throw this.notEnough(shards.length);
    const row = turned(nodes, shards[0]?.k === 1 ? 0 : this.placement.files(nodes[0] as number));
    ledger.placed(row, shards);
    return row;
  }

  private assign(stripe: Stripe, ledger: WriteLedger): readonly Assignment[] {
    const row = this.place(stripe, ledger);
    return stripe.shards.map((shard) => ({ shard, row }));
  }

  /** Gives a shard to another node than those of its stripe and those that failed in this batch. */
  private move({ shard, row }: Assignment, lost: ReadonlySet<number>, ledger: WriteLedger): void {
    const candidates = this.registry.writable().filter((node) => !row.includes(node) && !lost.has(node));
    const [node] = this.placement.place({ width: 1, candidates }) ?? [];
    if (node === undefined) throw this.notEnough(row.length);
    this.placement.release(row[shard.index] as number, 1);
    ledger.moved(row, shard, node);
  }

  /** One round: a single put for each node. Returns what did not arrive, after all have settled. */
  private async putOnce(pending: readonly Assignment[], signal: AbortSignal): Promise<readonly Assignment[]> {
    const failed: Assignment[] = [];
    const calls = [...Map.groupBy(pending, nodeOf)].map(async ([number, assignments]) => {
      try {
        const shards = assignments.map(({ shard }) => shard);
        await this.registry.call(number, (node) => node.put({ shards, records: [] }, signal));
      } catch (error) {
        if (!(error instanceof NodeError)) throw error;
        failed.push(...assignments);
      }
    });
    const settled = await Promise.allSettled(calls);
    const unexpected = settled.find((result) => result.status === 'rejected');
    if (unexpected !== undefined) throw unexpected.reason;
    return failed;
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
