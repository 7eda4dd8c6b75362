import { describe, expect, it } from '@jest/globals';
import { v7 } from 'uuid';
import type { VersionId } from '../common/ids.js';
import { isYoung } from './is-young.js';

const HOUR_MS = 3_600_000;

function begunAgo(ms: number): VersionId {
  return v7({ msecs: Date.now() - ms }) as VersionId;
}

describe('a version that no file has', () => {
  it.each([
    ['just now', 0, true],
    ['within the grace', 0.9 * HOUR_MS, true],
    ['longer ago', 1.1 * HOUR_MS, false],
    ['a little ahead of our clock', -0.1 * HOUR_MS, true],
    ['by a clock that was a day ahead', -24 * HOUR_MS, false],
  ])('that was begun %s', (_, ms, young) => {
    expect(isYoung(begunAgo(ms), HOUR_MS)).toBe(young);
  });

  it('is not young if this run began after it', () => {
    expect(isYoung(begunAgo(2000), HOUR_MS, Date.now() - 1000)).toBe(false);
    expect(isYoung(begunAgo(1000), HOUR_MS, Date.now() - 2000)).toBe(true);
  });

  it('is young at no time if there is no grace', () => {
    expect(isYoung(begunAgo(-1000), 0)).toBe(false);
  });
});
