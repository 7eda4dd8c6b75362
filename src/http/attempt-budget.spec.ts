import { beforeEach, describe, expect, it } from '@jest/globals';
import { AttemptBudget } from './attempt-budget.js';

describe('AttemptBudget', () => {
  let now = 0;
  let budget: AttemptBudget;

  beforeEach(() => {
    now = 1000;
    budget = new AttemptBudget({ attemptsMax: 3, windowMs: 300, keysMax: 2 }, () => now);
  });

  /** How many attempts of a key pass now. */
  function passing(key: string): number {
    for (let count = 0; ; count += 1) {
      if (budget.isExhausted(key)) {
        expect(() => budget.attempt(key)).toThrow(expect.objectContaining({ code: 'too-many-attempts' }));
        return count;
      }
      budget.attempt(key);
    }
  }

  it('lets some pass, and then as many as leak away', () => {
    expect(passing('a')).toBe(3);
    now += 99;
    expect(passing('a')).toBe(0);
    now += 2;
    expect(passing('a')).toBe(1);
    now += 10_000;
    expect(passing('a')).toBe(3);
  });

  it('counts each key for itself', () => {
    expect(passing('a')).toBe(3);
    expect(passing('b')).toBe(3);
  });

  it('takes one back that succeeded, and no more', () => {
    expect(passing('a')).toBe(3);
    budget.forgive('a');
    expect(passing('a')).toBe(1);
    budget.forgive('b');
    expect(passing('b')).toBe(3);
  });

  it('does not count what it refused', () => {
    expect(passing('a')).toBe(3);
    for (let more = 0; more < 100; more += 1) expect(() => budget.attempt('a')).toThrow();
    now += 101;
    expect(passing('a')).toBe(1);
  });

  it('remembers a bounded number of keys: the one that was quiet for longest is forgotten', () => {
    expect(passing('a')).toBe(3);
    expect(passing('b')).toBe(3);
    budget.attempt('c');
    expect(budget.isExhausted('b')).toBe(true);
    expect(budget.isExhausted('a')).toBe(false);
  });

  it('is not confused by a clock that goes back', () => {
    expect(passing('a')).toBe(3);
    now -= 1000;
    expect(passing('a')).toBe(0);
  });
});
