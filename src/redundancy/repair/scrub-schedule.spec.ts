import { expect, it } from '@jest/globals';
import { nextScrubAt, scrubRate } from './scrub-schedule.js';

const DAY_MS = 86_400_000;
const MiB = 1024 * 1024;

it('a scrub is due when the oldest proof is as old as the interval, and at once where there is none', () => {
  expect(nextScrubAt([5 * DAY_MS, 3 * DAY_MS], 720)).toBe(33 * DAY_MS);
  expect(nextScrubAt([5 * DAY_MS, undefined], 720)).toBe(0);
});

it('a scheduled scrub takes nine tenths of the interval, unless it is bounded above or below', () => {
  const options = { intervalHours: 720, bytesPerSecondMost: 100 * MiB };
  const bytes = 100 * 1024 * 1024 * MiB;
  expect(bytes / scrubRate(bytes, options)).toBeCloseTo(0.9 * 30 * 86_400, -4);
  expect(scrubRate(1, options)).toBe(MiB);
  expect(scrubRate(1e18, options)).toBe(100 * MiB);
});
