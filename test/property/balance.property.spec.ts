import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Balance, evenTargets, movesLeft } from '../../src/membership/balance.js';

/** Stripes of one width over some nodes, as skewed as a node that was just added, or a weak rule of placement, leaves them. */
const stripes = fc
  .record({ nodes: fc.integer({ min: 2, max: 9 }), width: fc.integer({ min: 1, max: 4 }), skew: fc.integer({ min: 1, max: 9 }) })
  .chain(({ nodes, width, skew }) => {
    const most = Math.max(Math.min(width, nodes), Math.min(skew, nodes));
    const row = fc.shuffledSubarray(
      Array.from({ length: most }, (_, at) => at + 1),
      { minLength: Math.min(width, nodes), maxLength: Math.min(width, nodes) },
    );
    return fc.record({ nodes: fc.constant(nodes), rows: fc.array(row, { maxLength: 120 }) });
  });

function count(rows: readonly (readonly number[])[], nodes: number): Map<number, number> {
  const counts = new Map(Array.from({ length: nodes }, (_, at) => [at + 1, 0]));
  for (const node of rows.flat()) counts.set(node, counts.get(node)! + 1);
  return counts;
}

describe('the plan of a balance', () => {
  it('makes all counts even with the fewest moves possible, and keeps the shards of each stripe on distinct nodes', () => {
    fc.assert(
      fc.property(stripes, ({ nodes, rows }) => {
        const fewest = movesLeft(count(rows, nodes));
        let [moves, walks] = [0, 0];
        for (; movesLeft(count(rows, nodes)) > 0; walks += 1) {
          const balance = new Balance(count(rows, nodes));
          const before = moves;
          for (const row of rows)
            for (const { index, from, to } of balance.plan(row)) {
              expect(row[index]).toBe(from);
              row[index] = to;
              moves += 1;
            }
          expect(moves).toBeGreaterThan(before); // each walk gets on, so it ends
        }
        const counts = [...count(rows, nodes).values()];
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        expect(moves).toBe(fewest);
        for (const row of rows) expect(new Set(row).size).toBe(row.length);
      }),
      { numRuns: 500 },
    );
  });

  it('has a lower bound that no choice of targets is below', () => {
    const counts = fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 2, maxLength: 5 });
    fc.assert(
      fc.property(counts, (list) => {
        const total = list.reduce((sum, one) => sum + one, 0);
        const least = Math.floor(total / list.length);
        let best = Infinity;
        // Every way to give 1 more to as many nodes as are left over.
        for (let choice = 0; choice < 2 ** list.length; choice += 1) {
          const targets = list.map((_, at) => least + ((choice >> at) & 1));
          if (targets.reduce((sum, one) => sum + one, 0) !== total) continue;
          best = Math.min(
            best,
            list.reduce((sum, one, at) => sum + Math.max(0, one - targets[at]!), 0),
          );
        }
        expect(movesLeft(new Map(list.entries()))).toBe(best);
        expect([...evenTargets(new Map(list.entries())).values()].reduce((sum, one) => sum + one, 0)).toBe(total);
      }),
    );
  });
});
