import { beforeEach, describe, expect, it } from '@jest/globals';
import type { AppConfig } from '../config/app-config.js';
import { AttemptLimiter, clientKey } from './attempt-limiter.js';

const MOST = 3;
const WINDOW_MS = 1000;

let limiter: AttemptLimiter;

function isHeldUp(key: string, now = 0): boolean {
  try {
    limiter.check(key, now);
    return false;
  } catch (error) {
    expect(error).toMatchObject({ code: 'too-many-attempts' });
    return true;
  }
}

beforeEach(() => {
  const limits = { failed_attempts_max: MOST, failed_attempts_window_ms: WINDOW_MS };
  limiter = new AttemptLimiter({ limits } as AppConfig);
});

describe('failed attempts', () => {
  it('hold up whoever made them, and nobody else, until the window ends', () => {
    for (let at = 0; at < MOST; at += 1) {
      expect(isHeldUp('one')).toBe(false);
      limiter.failed('one', 0);
    }
    expect([isHeldUp('one'), isHeldUp('other')]).toEqual([true, false]);
    expect([isHeldUp('one', WINDOW_MS - 1), isHeldUp('one', WINDOW_MS)]).toEqual([true, false]);
  });

  it('take bounded memory, however many clients there are', () => {
    for (let at = 0; at < 50_000; at += 1) limiter.failed(`client ${at}`, 0);
    const { windows } = limiter as unknown as { readonly windows: ReadonlyMap<string, unknown> };
    expect(windows.size).toBe(16_384);
    expect(windows.has('client 49999')).toBe(true);
  });
});

it.each([
  ['10.0.0.1', 'client 10.0.0.1'],
  ['::ffff:10.0.0.1', 'client 10.0.0.1'],
  ['::1', 'client 0:0:0:0'],
  ['2001:db8:0:7:1:2:3:4', 'client 2001:db8:0:7'],
  ['2001:0db8::7:ffff:2:3:4', 'client 2001:db8:0:7'],
  ['2001:db8::', 'client 2001:db8:0:0'],
  ['fe80::1%eth0', 'client fe80:0:0:0'],
  ['1:2:3::', 'client 1:2:3:0'],
  ['64:ff9b::10.0.0.1', 'client 64:ff9b:0:0'],
  ['', 'client '],
])('a client at %j is %j', (address, key) => {
  expect(clientKey(address)).toBe(key);
});
