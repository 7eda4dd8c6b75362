import { expect, it } from '@jest/globals';
import { ProgressMeter, type Progress } from './progress.js';

function newMeter(total: number | undefined): { meter: ProgressMeter; seen: Progress[]; pass: (ms: number) => void } {
  let now = 1_000;
  const seen: Progress[] = [];
  const meter = new ProgressMeter(
    total,
    (progress) => seen.push(progress),
    () => now,
  );
  return { meter, seen, pass: (ms) => (now += ms) };
}

it('progress has a rate, and from it the time that is left', () => {
  const { meter, seen, pass } = newMeter(1_000);
  meter.skip(200);
  for (let second = 0; second < 4; second += 1) {
    pass(1_000);
    meter.add(100);
  }
  expect(seen).toHaveLength(4);
  expect(seen.at(-1)).toEqual({ sentBytes: 600, totalBytes: 1_000, ratePerSecond: 100, secondsLeft: 4 });
});

it('events come ten times a second at most, and one at the end', () => {
  const { meter, seen, pass } = newMeter(undefined);
  for (let at = 0; at < 1_000; at += 1) {
    pass(1);
    meter.add(1);
  }
  meter.finish();
  expect(seen).toHaveLength(11);
  expect(seen.at(-1)).toMatchObject({ sentBytes: 1_000, totalBytes: undefined, secondsLeft: undefined });
});
