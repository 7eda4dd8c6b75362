import { describe, expect, it } from '@jest/globals';
import { NodeError } from '../nodes/storage-node.js';
import { NodeDetector } from './node-detector.js';

const SILENT = new NodeError('unavailable', 'no answer');
const REFUSED = new NodeError('rejected', 'another identity');

class Subject {
  clock = 0;
  readonly detector = new NodeDetector(() => this.clock, 60_000);

  /** Runs it down and counts the good probes after which it is up again. */
  fallAndReturn(): number {
    this.detector.failed(SILENT, false);
    expect(this.detector.failed(SILENT, false)).toBe('down');
    return this.return();
  }

  return(): number {
    for (let probes = 1; probes < 100; probes += 1) {
      this.clock += 1000;
      if (this.detector.answered(false) === 'up') return probes;
    }
    throw new Error('it never came back');
  }
}

describe('the detector', () => {
  it('believes the first good probe, doubts after one bad sign and gives up after two', () => {
    const { detector } = new Subject();
    expect(detector.answered(false)).toBe('up');
    expect(detector.failed(SILENT, false)).toBe('suspect');
    expect(detector.answered(false)).toBe('up');
    expect(detector.callFailed(SILENT)).toBe('suspect');
    expect(detector.failed(SILENT, false)).toBe('down');
    expect(detector.answered(false)).toBe('up');
    expect(detector.answered(true)).toBe('full');
    expect(detector.callFailed(new NodeError('full', 'no space'))).toBe('full');
  });

  it('gives up at once on what does not pass by itself', () => {
    const { detector } = new Subject();
    detector.answered(false);
    expect(detector.failed(REFUSED, true)).toBe('down');
  });

  it('only doubts a node that answers other calls meanwhile', () => {
    const { detector } = new Subject();
    detector.answered(false);
    for (let at = 0; at < 10; at += 1) expect(detector.failed(SILENT, true)).toBe('suspect');
    expect(detector.failed(SILENT, false)).toBe('down');
  });

  it('asks one that goes down again and again to be good for longer and longer, up to a limit', () => {
    const subject = new Subject();
    subject.detector.answered(false);
    expect(Array.from({ length: 8 }, () => subject.fallAndReturn())).toEqual([1, 1, 2, 4, 8, 16, 16, 16]);
    subject.clock += 60_000;
    expect(subject.fallAndReturn()).toBe(1);
  });

  it('begins to count anew when a probe fails meanwhile, and does not take that for another fall', () => {
    const subject = new Subject();
    subject.detector.answered(false);
    for (let at = 0; at < 3; at += 1) subject.fallAndReturn();
    subject.detector.failed(SILENT, false);
    subject.detector.failed(SILENT, false);
    for (let at = 0; at < 3; at += 1) expect(subject.detector.answered(false)).toBe('down');
    expect(subject.detector.goodMissing).toBe(1);
    subject.detector.failed(SILENT, false);
    expect(subject.return()).toBe(4);
  });
});
