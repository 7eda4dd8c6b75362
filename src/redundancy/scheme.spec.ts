import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { LIMITS } from '../config/limits.js';
import { batchesInFlight, codingPlan, requestBytes, type SchemeConfig } from './scheme.js';

const MiB = 1024 * 1024;

function config(changes: Partial<SchemeConfig> = {}): SchemeConfig {
  return {
    node_count: 6,
    redundancy_count: 2,
    redundancy_scheme: 'erasure',
    size_per_slice: MiB,
    limits: LIMITS,
    ...changes,
  };
}

describe('the plan for coding', () => {
  it('takes all nodes that are up, but for m of them the slices of each stripe are data', () => {
    expect(codingPlan(config(), 6)?.shape).toEqual({ k: 4, m: 2 });
    expect(codingPlan(config(), 5)?.shape).toEqual({ k: 3, m: 2 });
    expect(codingPlan(config({ redundancy_count: 1 }), 4)?.shape).toEqual({ k: 3, m: 1 });
    expect(codingPlan(config({ redundancy_count: 3 }), 1000)?.shape).toEqual({ k: 16, m: 3 });
  });

  it('is to replicate where that is wanted, where nothing is redundant, and with fewer than m + 2 nodes', () => {
    expect(codingPlan(config({ redundancy_scheme: 'replicate' }), 6)).toBeUndefined();
    expect(codingPlan(config({ redundancy_count: 0 }), 6)).toBeUndefined();
    expect(codingPlan(config(), 4)?.shape).toEqual({ k: 2, m: 2 });
    expect(codingPlan(config(), 3)).toBeUndefined();
  });

  it('leaves small bodies to copies with "auto" alone', () => {
    expect(codingPlan(config({ redundancy_scheme: 'auto' }), 6)?.replicatedBytesMax).toBe(MiB);
    expect(codingPlan(config(), 6)?.replicatedBytesMax).toBe(0);
  });

  it('never takes more memory than a quarter of what all requests have, whatever is configured', () => {
    const any = fc.record({
      node_count: fc.integer({ min: 1, max: 1000 }),
      redundancy_count: fc.integer({ min: 0, max: 254 }),
      redundancy_scheme: fc.constantFrom('replicate' as const, 'erasure' as const, 'auto' as const),
      size_per_slice: fc.integer({ min: 1024, max: 64 * MiB }),
      limits: fc
        .record({
          process_bytes_in_flight: fc.integer({ min: 128 * MiB, max: 1024 * MiB }),
          stripe_data_slices_max: fc.integer({ min: 1, max: 1000 }),
        })
        .map((changes) => ({ ...LIMITS, ...changes })),
    });
    fc.assert(
      fc.property(any, fc.integer({ min: 0, max: 1000 }), (subject, up) => {
        const plan = codingPlan(subject, up);
        const { limits, size_per_slice: sliceBytes } = subject;
        if (plan === undefined) return;
        const { k, m } = plan.shape;
        expect(k).toBeGreaterThanOrEqual(2);
        expect(m).toBe(subject.redundancy_count);
        expect(k + m).toBeLessThanOrEqual(Math.min(up, 256));
        expect(2 * (k + m) * sliceBytes).toBeLessThanOrEqual(limits.process_bytes_in_flight / 4);
      }),
    );
  });
});

describe('the memory of a request', () => {
  it('holds two stripes, so that one fills while another is on its way', () => {
    expect(requestBytes(config())).toBe(12 * MiB);
    expect(requestBytes(config({ redundancy_scheme: 'replicate' }))).toBe(4 * MiB);
    expect(batchesInFlight(config(), { k: 4, m: 2 }, { sliceBytes: MiB, shardsHeld: 6 })).toBe(2);
    expect(batchesInFlight(config(), { k: 4, m: 2 }, { sliceBytes: 1024, shardsHeld: 6 })).toBe(8);
  });

  it('is one batch at a time for a stripe from when larger ones were configured', () => {
    const later = config({ redundancy_scheme: 'replicate' });
    expect(batchesInFlight(later, { k: 16, m: 2 }, { sliceBytes: MiB, shardsHeld: 16 })).toBe(1);
  });

  it('holds four batches of copies, that which is being filled or emptied among them', () => {
    const later = config({ redundancy_scheme: 'replicate' });
    expect(batchesInFlight(later, { k: 1, m: 2 }, { sliceBytes: MiB, shardsHeld: 1 })).toBe(4);
  });
});
