import { describe, expect, it } from '@jest/globals';
import { recordedOutput } from '../../../test/support/recorded-output.js';
import { TransferProgress, type Totals } from './transfer-progress.js';

const KB = 1_000;

function newProgress(
  totals: Totals,
  isLive: boolean,
): { progress: TransferProgress; said: string[]; pass: (ms: number) => void } {
  let now = 0;
  const { output, said } = recordedOutput({ isLive });
  return { progress: new TransferProgress(output, totals, () => now), said, pass: (ms) => (now += ms) };
}

/** How far something is, of which only the bytes count here. */
const sent = (sentBytes: number) => ({ sentBytes, totalBytes: undefined, ratePerSecond: 0, secondsLeft: undefined });

describe('progress on a terminal', () => {
  it('is a bar for all files, which is taken away at the end', () => {
    const { progress, said, pass } = newProgress({ files: 2, bytes: 100 * KB }, true);
    const one = progress.file(40 * KB);
    pass(1_000);
    one.onProgress(sent(25 * KB));
    expect(said.at(-1)).toBe('\r\u001b[K[#####---------------]  25 %  25 kB of 100 kB  25 kB/s  0:03 left  0 of 2 files');
    pass(1_000);
    one.end();
    expect(said.at(-1)).toMatch(/ 40 %  40 kB of 100 kB .* 1 of 2 files$/u);
    progress.stop();
    expect(said.at(-1)).toBe('\r\u001b[K');
  });

  it('goes back for nobody and never beyond the whole', () => {
    const { progress, said, pass } = newProgress({ files: 1, bytes: 10 * KB }, true);
    const file = progress.file(10 * KB);
    for (const bytes of [5 * KB, 2 * KB, 20 * KB]) {
      pass(1_000);
      file.onProgress(sent(bytes));
    }
    pass(1_000);
    file.end();
    const percents = said.map((text) => /(\d+) %/u.exec(text)?.[1]).filter((percent) => percent !== undefined);
    expect(percents).toEqual(['50', '50', '100', '100']);
  });

  it('of a stream is what was sent, without an end', () => {
    const { progress, said, pass } = newProgress({ files: 1, bytes: undefined }, true);
    pass(2_000);
    progress.file(undefined).onProgress(sent(4 * KB));
    expect(said).toEqual(['\r\u001b[K4.0 kB  2.0 kB/s']);
  });
});

it('progress elsewhere is a line now and then', () => {
  const { progress, said, pass } = newProgress({ files: 1, bytes: 100 * KB }, false);
  const file = progress.file(100 * KB);
  for (let second = 1; second <= 11; second += 1) {
    pass(1_000);
    file.onProgress(sent(second * KB));
  }
  progress.stop();
  expect(said).toEqual(['  5 %  5.0 kB of 100 kB  1.0 kB/s  1:35 left\n', ' 10 %  10 kB of 100 kB  1.0 kB/s  1:30 left\n']);
});
