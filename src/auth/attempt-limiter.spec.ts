import { describe, expect, it } from '@jest/globals';
import type { AppConfig } from '../config/app-config.js';
import { LIMITS } from '../config/limits.js';
import { AttemptLimiter, clientKey } from './attempt-limiter.js';

const config = { limits: { ...LIMITS, failed_attempts_max: 3, failed_attempts_window_ms: 60_000 } } as unknown as AppConfig;

describe('AttemptLimiter', () => {
  it('lets through as many failures as may be in a window, then says when the next one begins', () => {
    const limiter = new AttemptLimiter(config);
    for (let at = 0; at < 3; at += 1) {
      limiter.check('a', 1000 + at);
      limiter.failed('a', 1000 + at);
    }
    expect(() => limiter.check('a', 31_000)).toThrow(
      expect.objectContaining({ code: 'too-many-attempts', retryAfterSeconds: 30 }),
    );
    limiter.check('b', 31_000);
    limiter.check('a', 61_000);
    limiter.failed('a', 61_000);
    limiter.check('a', 61_000);
  });

  it('forgets of very many the ones that were counted first', () => {
    const limiter = new AttemptLimiter(config);
    for (let at = 0; at < 3; at += 1) limiter.failed('first', 0);
    for (let at = 0; at < 20_000; at += 1) limiter.failed(`other ${at}`, 0);
    limiter.check('first', 0);
    expect((limiter as unknown as { windows: Map<string, unknown> }).windows.size).toBeLessThanOrEqual(16_384);
  });
});

describe('clientKey', () => {
  it('is the address, however it is written, and of IPv6 the network', () => {
    expect(clientKey('::ffff:10.0.0.1')).toBe(clientKey('10.0.0.1'));
    expect(clientKey('10.0.0.2')).not.toBe(clientKey('10.0.0.1'));
    expect(clientKey('2001:db8:0:1::1')).toBe(clientKey('2001:0db8::1:ffff:2:3:4'));
    expect(clientKey('2001:db8:0:2::1')).not.toBe(clientKey('2001:db8:0:1::1'));
    expect(clientKey('fe80::1%eth0')).toBe(clientKey('fe80::2'));
    expect(clientKey('::1')).toBe('client 0:0:0:0');
  });
});
