import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { maximumMatching, survivableLosses } from './matching.js';

type Places = readonly (readonly number[])[];

/** By trying each node, or none, for each shard. */
function matchingByTrial([first, ...rest]: Places, taken: ReadonlySet<number> = new Set()): number {
  if (first === undefined) return 0;
  const choices = first.filter((node) => !taken.has(node)).map((node) => 1 + matchingByTrial(rest, new Set([...taken, node])));
  return Math.max(matchingByTrial(rest, taken), ...choices);
}

/** By losing every set of nodes. */
function lossesByTrial(places: Places, k: number): number {
  const nodes = [...new Set(places.flat())];
  let fatal = nodes.length + 1;
  for (let set = 0; set < 2 ** nodes.length; set += 1) {
    const isLost = (node: number): boolean => ((set >> nodes.indexOf(node)) & 1) === 1;
    const left = places.filter((having) => having.some((node) => !isLost(node))).length;
    const lost = nodes.filter(isLost).length;
    if (left < k) fatal = Math.min(fatal, lost);
  }
  return fatal - 1;
}

const node = fc.integer({ min: 1, max: 6 });
const anyPlaces = fc.array(fc.uniqueArray(node, { maxLength: 3 }), { maxLength: 5 });

describe('the matching of shards and nodes', () => {
  it('is the largest one', () => {
    fc.assert(fc.property(anyPlaces, (places) => expect(maximumMatching(places)).toBe(matchingByTrial(places))));
    expect(maximumMatching([[1, 2], [1], [2, 3]])).toBe(3); // a greedy choice would find two
  });
});

describe('the nodes that a stripe may lose', () => {
  it('are counted exactly when its shards are on distinct nodes, some of which are gone', () => {
    const stripe = fc.uniqueArray(node, { minLength: 1, maxLength: 6 }).chain((nodes) =>
      fc.record({
        places: fc.tuple(...nodes.map((each) => fc.constantFrom<readonly number[]>([each], []))),
        k: fc.integer({ min: 1, max: nodes.length }),
      }),
    );
    fc.assert(fc.property(stripe, ({ places, k }) => expect(survivableLosses(places, k)).toBe(lossesByTrial(places, k))));
  });

  it('are never said to be more than they are, and none can be lost only when it can be read', () => {
    fc.assert(
      fc.property(anyPlaces, fc.integer({ min: 1, max: 3 }), (places, k) => {
        const truth = lossesByTrial(places, k);
        const said = survivableLosses(places, k);
        expect(said).toBeLessThanOrEqual(truth);
        expect(said < 0).toBe(truth < 0);
      }),
    );
  });
});
