/** How many shards lie on each node that takes part in the balance. */
export type Counts = ReadonlyMap<number, number>;

/** A shard of a stripe that goes to another node. */
export interface BalanceMove {
  /** Its place in the row. */
  readonly index: number;
  readonly from: number;
  readonly to: number;
}

/**
 * What each node is to have so that no two differ by more than 1: the mean, and 1 more on as many nodes as are left over. Those are the ones that
 * have the most by now, which is what makes the moves the fewest possible.
 */
export function evenTargets(counts: Counts): ReadonlyMap<number, number> {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const [least, over] = [Math.floor(total / counts.size), total % counts.size];
  const fullestFirst = [...counts].sort(([one, a], [other, b]) => b - a || one - other);
  return new Map(fullestFirst.map(([node], at) => [node, least + (at < over ? 1 : 0)]));
}

/** The fewest moves after which no two nodes differ by more than 1: each moves one shard, so it is what lies above the targets. */
export function movesLeft(counts: Counts): number {
  const targets = evenTargets(counts);
  return [...counts].reduce((sum, [node, count]) => sum + Math.max(0, count - (targets.get(node) as number)), 0);
}

/**
 * Plans moves stripe by stripe, from nodes above their target to nodes below it, so none is made twice and none in vain. A stripe has one shard
 * on a node at the most; where more lie on one node than on another there is therefore a stripe that is on the first and not on the second.
 * So as long as the counts are not even, a walk over all stripes finds at least one move, and after enough walks they are.
 */
export class Balance {
  private readonly above = new Map<number, number>();
  private readonly below = new Map<number, number>();

  constructor(counts: Counts) {
    for (const [node, target] of evenTargets(counts)) {
      const excess = (counts.get(node) as number) - target;
      if (excess > 0) this.above.set(node, excess);
      if (excess < 0) this.below.set(node, -excess);
    }
  }

  /** True if all counts are within 1 of each other, with the moves that were planned. */
  get isEven(): boolean {
    return this.above.size === 0;
  }

  /** Whether a node has more than its target. */
  isAbove(node: number): boolean {
    return this.above.has(node);
  }

  /** What to move of a stripe whose shards lie on the nodes of `row`; the moves count as made. */
  plan(row: readonly number[]): readonly BalanceMove[] {
    const taken = new Set(row);
    const moves: BalanceMove[] = [];
    for (const [index, from] of row.entries()) {
      if (!this.above.has(from)) continue;
      const to = this.emptiest(taken);
      if (to === undefined) break;
      taken.add(to);
      take(this.above, from);
      take(this.below, to);
      moves.push({ index, from, to });
    }
    return moves;
  }

  /** The node that lacks the most, of those that the stripe is not on. */
  private emptiest(taken: ReadonlySet<number>): number | undefined {
    const free = [...this.below].filter(([node]) => !taken.has(node));
    return free.sort(([one, a], [other, b]) => b - a || one - other)[0]?.[0];
  }
}

function take(counts: Map<number, number>, node: number): void {
  const left = (counts.get(node) as number) - 1;
  if (left === 0) counts.delete(node);
  else counts.set(node, left);
}
