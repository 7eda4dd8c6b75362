import type { NodeUsage } from '../metadata/metadata-store.js';
import type { Shard, ShardId } from '../nodes/storage-node.js';

/** Strays of one node, and of one write, that are remembered: what is beyond is found by the walk over the node. */
export const STRAYS_MAX = 100_000;

/** A shard that may have reached a node which was then given up for it. */
export interface Stray {
  readonly node: number;
  readonly shard: ShardId;
}

/**
 * What one upload has put where, from the moment at which a node is chosen: so that whatever happens next, everything that may lie on
 * a node can be named and taken back.
 */
export class WriteLedger {
  private readonly rows: number[][] = [];
  private readonly totals = new Map<number, { shards: number; bytes: number }>();
  readonly strays: Stray[] = [];

  /** Notes the nodes of a stripe's shards, by index. The row is the ledger's from now on. */
  placed(row: number[], shards: readonly Shard[]): void {
    this.rows.push(row);
    for (const shard of shards) this.count(row[shard.index] as number, shard, 1);
  }

  /** Notes a stripe that somebody else has put. @param lengthOf bytes of the shard of an index */
  adopted(row: readonly number[], lengthOf: (index: number) => number): void {
    this.rows.push([...row]);
    row.forEach((node, index) => this.add(node, lengthOf(index), 1));
  }

  /** Notes that a shard goes to another node than at first. */
  moved(row: number[], shard: Shard, to: number): void {
    const from = row[shard.index] as number;
    const { versionId, stripe, index } = shard; // the bytes must not be kept for it
    if (this.strays.length < STRAYS_MAX) this.strays.push({ node: from, shard: { versionId, stripe, index } });
    this.count(from, shard, -1);
    this.count(to, shard, 1);
    row[shard.index] = to;
  }

  /** Takes the rows of the first `stripes` stripes that were not taken yet, in the order of the stripes. */
  take(stripes = this.rows.length): readonly (readonly number[])[] {
    return this.rows.splice(0, stripes);
  }

  usage(): readonly NodeUsage[] {
    return [...this.totals].filter(([, { shards }]) => shards > 0).map(([node, total]) => ({ node, ...total }));
  }

  private count(node: number, shard: Shard, change: 1 | -1): void {
    this.add(node, shard.bytes.length, change);
  }

  private add(node: number, bytes: number, change: 1 | -1): void {
    const total = this.totals.get(node) ?? { shards: 0, bytes: 0 };
    total.shards += change;
    total.bytes += change * bytes;
    this.totals.set(node, total);
  }
}
