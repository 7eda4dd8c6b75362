import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { contradictionOf, type RegisterOperation } from '../support/chaos/linearizable.js';

function write(value: number, sentAt: number, answeredAt: number, basis?: number): RegisterOperation {
  return { kind: 'write', value, basis, sentAt, answeredAt };
}

function read(value: number, sentAt: number, answeredAt: number): RegisterOperation {
  return { kind: 'read', value, sentAt, answeredAt };
}

/** The definition, word by word: some order of the operations that keeps to the times and to what a register does. */
function hasOrder(history: readonly RegisterOperation[], value: number): boolean {
  const open = history.filter(({ answeredAt }) => answeredAt !== Infinity);
  if (open.length === 0) return true;
  const firstAnswer = Math.min(...open.map(({ answeredAt }) => answeredAt));
  return history.some((next) => {
    if (next.sentAt > firstAnswer) return false;
    if (next.kind === 'read' ? next.value !== value : next.basis !== undefined && next.basis !== value) return false;
    return hasOrder(
      history.filter((other) => other !== next),
      next.value,
    );
  });
}

describe('histories of a register that are right', () => {
  it.each<[string, readonly RegisterOperation[]]>([
    ['nothing at all', []],
    ['one after the other', [write(1, 1, 2), read(1, 3, 4), write(2, 5, 6), read(2, 7, 8)]],
    ['a read during a write sees the old value', [write(1, 1, 10), read(0, 2, 3)]],
    ['or the new one', [write(1, 1, 10), read(1, 2, 3), read(1, 4, 5)]],
    ['two writes at once, in either order', [write(1, 1, 10), write(2, 2, 9), read(1, 11, 12)]],
    ['two writes at once, both of them seen', [write(1, 1, 10), write(2, 2, 9), read(2, 3, 4), read(1, 5, 6)]],
    [
      'a write without an answer that happened late',
      [write(1, 1, Infinity), read(0, 2, 3), write(2, 4, 5), read(2, 6, 7), read(1, 8, 9)],
    ],
    ['a write without an answer that never happened', [write(1, 1, Infinity), read(0, 2, 3), write(2, 4, 5), read(2, 6, 7)]],
    ['a conditional write on what was there', [write(1, 1, 2), write(2, 3, 4, 1), read(2, 5, 6)]],
    ['two conditional writes in a row, sent at once', [write(2, 1, 10, 1), write(1, 1.5, 9, 0), read(2, 11, 12)]],
  ])('%s', (_, history) => {
    expect(contradictionOf(history, 0)).toBeUndefined();
  });
});

describe('histories of a register that are wrong', () => {
  it.each<[string, readonly RegisterOperation[], number]>([
    ['a stale read: the write had been acknowledged', [write(1, 1, 2), read(0, 3, 4)], 3],
    ['a lost update', [write(1, 1, 2), write(2, 3, 4), read(1, 5, 6)], 5],
    ['back in time: the new value was seen, and then the old one', [write(1, 1, 20), read(1, 2, 3), read(0, 4, 5)], 4],
    ['a value before it was written', [read(1, 1, 2), write(1, 3, 4)], 1],
    ['a value that nobody wrote', [write(1, 1, 2), read(7, 3, 4)], 3],
    ['two readers that disagree on the order', [write(1, 1, 10), write(2, 1.5, 10.5), read(1, 11, 12), read(2, 13, 14)], 13],
    ['a write without an answer that happened and went', [write(1, 1, Infinity), read(1, 2, 3), read(0, 4, 5)], 4],
    ['two conditional writes on the same value', [write(1, 1, 10, 0), write(2, 2, 9, 0)], 1],
    ['a conditional write on what was gone', [write(1, 1, 2), write(2, 3, 4), write(3, 5, 6, 1)], 5],
  ])('%s', (_, history, sentAt) => {
    expect(contradictionOf(history, 0)?.operation.sentAt).toBe(sentAt);
  });

  it('tells what the value may have been, and what had happened', () => {
    const history = [write(1, 1, 2), write(2, 3, 8), read(0, 4, 5)];
    const found = contradictionOf(history, 0);
    expect(found?.possible).toEqual([1]);
    expect(found?.before).toEqual(expect.arrayContaining([history[0], history[1]]));
  });
});

it('judges any small history as the definition does', () => {
  const times = fc.uniqueArray(fc.integer({ min: 0, max: 1000 }), { minLength: 12, maxLength: 12 });
  const kinds = fc.array(
    fc.record({
      isRead: fc.boolean(),
      value: fc.integer({ min: 0, max: 3 }),
      isUnanswered: fc.boolean(),
      basis: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined, freq: 3 }),
    }),
    { maxLength: 6 },
  );
  let wrong = 0;
  fc.assert(
    fc.property(times, kinds, (ticks, shapes) => {
      const history = shapes.map(({ isRead, value, isUnanswered, basis }, at): RegisterOperation => {
        const [sentAt, answeredAt] = [ticks[2 * at]!, ticks[2 * at + 1]!].sort((a, b) => a - b) as [number, number];
        if (isRead) return read(value, sentAt, answeredAt);
        return write(at + 1, sentAt, isUnanswered ? Infinity : answeredAt, basis);
      });
      const isRight = hasOrder(history, 0);
      if (!isRight) wrong += 1;
      expect(contradictionOf(history, 0) === undefined).toBe(isRight);
    }),
    { numRuns: 3000 },
  );
  expect(wrong).toBeGreaterThan(300);
});
