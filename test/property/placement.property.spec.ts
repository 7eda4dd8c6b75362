import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Placement } from '../../src/placement/placement.js';

interface Step {
  readonly kind: 'place' | 'fail' | 'finish';
  readonly pick: number;
}

const step = fc.record<Step>({ kind: fc.constantFrom('place', 'place', 'place', 'fail', 'finish'), pick: fc.nat() });

/** Files of different widths in flight at once, some of which fail, in any order of events. */
const load = fc
  .record({ nodes: fc.integer({ min: 1, max: 12 }), steps: fc.array(step, { maxLength: 300 }) })
  .chain(({ nodes, steps }) =>
    fc.record({ nodes: fc.constant(nodes), steps: fc.constant(steps), width: fc.integer({ min: 1, max: nodes }) }),
  );

describe('placement', () => {
  it('puts the shards of a stripe on distinct nodes and keeps all counts within 1, whatever is in flight', () => {
    fc.assert(
      fc.property(load, ({ nodes, steps, width }) => {
        const placement = new Placement();
        const candidates = Array.from({ length: nodes }, (_, at) => at + 1);
        for (const { kind } of steps) {
          if (kind !== 'place') continue;
          const chosen = placement.place({ width, candidates })!;
          expect(new Set(chosen).size).toBe(width);
          const counts = candidates.map((node) => placement.files(node));
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  it('agrees with a model in which stripes fail, finish and are deleted at any time', () => {
    fc.assert(
      fc.property(load, ({ nodes, steps, width }) => {
        const placement = new Placement();
        const candidates = Array.from({ length: nodes }, (_, at) => at + 1);
        const stored: (readonly number[])[] = [];
        for (const { kind, pick } of steps) {
          if (kind === 'place') {
            const least = candidates.map((node) => placement.files(node)).sort((a, b) => a - b);
            const chosen = placement.place({ width, candidates })!;
            expect(chosen.map((node) => placement.files(node) - 1).sort((a, b) => a - b)).toEqual(least.slice(0, width));
            stored.push(chosen);
          } else if (kind === 'fail' && stored.length > 0) {
            for (const node of stored.splice(pick % stored.length, 1).flat()) placement.release(node, 1);
          }
        }
        for (const node of candidates) expect(placement.files(node)).toBe(stored.flat().filter((other) => other === node).length);
      }),
    );
  });

  it('chooses in a series as it does one by one, wherever the counts begin', () => {
    const begin = fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(begin, fc.nat(), fc.integer({ min: 1, max: 40 }), (counts, wide, rounds) => {
        const width = 1 + (wide % counts.length);
        const candidates = counts.map((_, at) => at + 1).toReversed();
        const [one, many] = [new Placement(), new Placement()];
        for (const [at, files] of counts.entries()) for (const placement of [one, many]) placement.restore(at + 1, files);
        const next = many.series({ width, candidates })!;
        for (let round = 0; round < rounds; round += 1) {
          // By the rule itself: fewest files first, then the lowest number.
          const expected = candidates.toSorted((a, b) => one.files(a) - one.files(b) || a - b).slice(0, width);
          expect(one.place({ width, candidates })).toEqual(expected);
          expect(next()).toEqual(expected);
          expect(many.all()).toEqual(one.all());
        }
        expect(many.series({ width: counts.length + 1, candidates })).toBeUndefined();
      }),
    );
  });

  it('takes the lowest numbers when all are equal, and the emptiest first when they are not', () => {
    const placement = new Placement();
    expect(placement.place({ width: 2, candidates: [3, 1, 2] })).toEqual([1, 2]);
    expect(placement.place({ width: 2, candidates: [1, 2, 3] })).toEqual([3, 1]);
    placement.restore(4, 0);
    placement.restore(1, 10);
    expect(placement.place({ width: 1, candidates: [1, 4] })).toEqual([4]);
  });

  it('counts nothing when there are too few candidates', () => {
    const placement = new Placement();
    expect(placement.place({ width: 3, candidates: [1, 2] })).toBeUndefined();
    expect([placement.files(1), placement.files(2)]).toEqual([0, 0]);
  });
});
