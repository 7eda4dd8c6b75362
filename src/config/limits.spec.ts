import { describe, expect, it } from '@jest/globals';
import { brokenLimit, LIMITS, requestBytesInFlight } from './limits.js';

const MiB = 1024 * 1024;

describe('limits', () => {
  it('hold among each other as they are, for every size of a slice that may be configured', () => {
    for (const sliceBytes of [1024, MiB, 64 * MiB]) expect(brokenLimit(LIMITS, sliceBytes)).toBeUndefined();
  });

  it('are whole numbers, of which only a few may be 0', () => {
    for (const key of Object.keys(LIMITS)) {
      for (const value of [-1, 0.5, Number.NaN, Infinity, '5' as unknown as number]) {
        expect(brokenLimit({ ...LIMITS, [key]: value }, MiB)).toContain(`limits.${key} is`);
      }
      const mayBeNone = [
        'body_bytes_max',
        'small_cache_bytes',
        'delegate_bytes_min',
        'node_bytes_free_min',
        'orphan_grace_ms',
        'hedge_percent',
        'hedge_burst',
        'repair_bytes_per_second',
      ].includes(key);
      expect([key, brokenLimit({ ...LIMITS, [key]: 0 }, MiB) === undefined]).toEqual([key, mayBeNone]);
    }
  });

  it.each([
    [{ page_files_default: 1001 }, 'page_files_default'],
    [{ name_bytes_max: 1025 }, 'name_bytes_max'],
    [{ probe_ms_max: 1501 }, 'probe_ms_max'],
    [{ probe_interval_ms: 1501 }, 'probe_interval_ms'],
    [{ hedge_ms_min: 251 }, 'hedge_ms_min'],
    [{ hedge_percent: 101 }, 'hedge_percent'],
    [{ write_slow_ms_min: 10_001 }, 'write_slow_ms_min'],
    [{ process_bytes_in_flight: 4 * MiB - 1 }, 'process_bytes_in_flight'],
    [{ peer_body_bytes_max: 50 * MiB - 1 }, 'peer_body_bytes_max'],
    [{ peer_bytes_in_flight: 288 * MiB - 1 }, 'peer_bytes_in_flight'],
  ])('must keep their relations: %j', (change, key) => {
    expect(brokenLimit({ ...LIMITS, ...change }, MiB)).toContain(`limits.${key}`);
  });

  it('leave each request two slices, however small its share is', () => {
    expect(requestBytesInFlight(LIMITS, 1024)).toBe(4 * MiB);
    expect(requestBytesInFlight(LIMITS, 64 * MiB)).toBe(128 * MiB);
    expect(brokenLimit({ ...LIMITS, process_bytes_in_flight: 128 * MiB - 1 }, 64 * MiB)).toContain('process_bytes_in_flight');
  });
});
