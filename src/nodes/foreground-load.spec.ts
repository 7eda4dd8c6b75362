import { describe, expect, it } from '@jest/globals';
import { ForegroundLoad } from './foreground-load.js';

describe('the load of those who wait', () => {
  it('is the tail of the last calls, and nothing when they are long ago', () => {
    const load = new ForegroundLoad();
    expect(load.latencyMs(0, 2000)).toBeUndefined();
    for (let at = 1; at <= 100; at += 1) load.note(at, at);
    expect(load.latencyMs(100, 2000)).toBe(95);
    expect(load.latencyMs(2050, 2000)).toBe(98);
    expect(load.latencyMs(3000, 2000)).toBeUndefined();
    for (let at = 0; at < 128; at += 1) load.note(7, 3000);
    expect(load.latencyMs(3000, 5000)).toBe(7);
  });

  it('is that of the calls since a time only if they are enough to have a tail', () => {
    const load = new ForegroundLoad();
    for (let at = 0; at < 60; at += 1) load.note(500, 1000 + at);
    for (let at = 0; at < 39; at += 1) load.note(at, 2000 + at);
    expect(load.latencySinceMs(1000)).toBeUndefined();
    load.note(39, 2039);
    expect(load.latencySinceMs(1000)).toBe(37);
    expect(load.latencySinceMs(0)).toBe(500);
  });
});
