import { describe, expect, it } from '@jest/globals';
import { LIMITS } from '../../config/limits.js';
import { refusalOf, troubleOf } from './peer-failures.js';

const CLOCK_MS_MAX = LIMITS.peer_clock_ms_max;

describe('the failure of a call to a peer', () => {
  const dated = (apartMs: number): string => {
    const { kind, message } = refusalOf(401, { date: new Date(Date.now() + apartMs).toUTCString() }, CLOCK_MS_MAX);
    return `${kind} ${message}`;
  };

  it('tells clocks that differ from secrets that do', () => {
    expect(dated(0)).toMatch(/^rejected .*401.*the secrets differ/);
    expect(dated(120_000)).toMatch(/^rejected .*401.*the clocks differ, by (119|120) s/);
    expect(dated(-120_000)).toMatch(/the clocks differ, by -12[01] s/);
    expect(refusalOf(401, { date: 'no date' }, CLOCK_MS_MAX).message).toContain('the secrets or the clocks differ');
    expect(refusalOf(401, {}, CLOCK_MS_MAX).message).toContain('the secrets or the clocks differ');
  });

  it('is one that passes, for any other status', () => {
    for (const status of [301, 307, 400, 404, 500, 503, 204]) {
      const { kind, message } = refusalOf(status, { location: 'http://169.254.169.254/' }, CLOCK_MS_MAX);
      expect([kind, message]).toEqual(['unavailable', expect.stringContaining(String(status))]);
      expect(message).not.toContain('169');
    }
  });

  it('is said in words, whatever it was', () => {
    expect(troubleOf({ code: 'ECONNREFUSED' }).message).toBe('unavailable: nothing listens there');
    expect(troubleOf({ code: 'HPE_INVALID_CONSTANT' }).message).toContain('does not speak HTTP');
    expect(troubleOf(new Error('a defect')).message).toBe('unavailable: the call failed (no code)');
  });
});
