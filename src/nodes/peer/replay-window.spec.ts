import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ReplayWindow } from './replay-window.js';

const KEEP_MS = 60_000;

function nonce(sender: number, number: number): string {
  return sender.toString(16).padStart(16, '0') + number.toString(16).padStart(16, '0');
}

describe('ReplayWindow', () => {
  it('lets each request through once, in whatever order they come', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 65_000 }))), (requests) => {
        const window = new ReplayWindow(KEEP_MS);
        const seen = new Set<string>();
        for (const [sender, number] of requests) {
          const name = nonce(sender, number);
          expect(window.admit(name, 0)).toBe(!seen.has(name));
          seen.add(name);
        }
      }),
    );
  });

  it('never lets one through twice, however far the numbers jump', () => {
    const numbers = fc.array(fc.oneof(fc.integer({ min: 1, max: 400_000 }), fc.integer({ min: 65_530, max: 65_540 })));
    fc.assert(
      fc.property(numbers, (requests) => {
        const window = new ReplayWindow(KEEP_MS);
        const passed = requests.filter((number) => window.admit(nonce(1, number), 0));
        expect(new Set(passed).size).toBe(passed.length);
      }),
    );
  });

  it('takes what is below its reach for seen', () => {
    const window = new ReplayWindow(KEEP_MS);
    expect(window.admit(nonce(1, 100_000), 0)).toBe(true);
    expect(window.admit(nonce(1, 100_000 - 65_535), 0)).toBe(true);
    expect(window.admit(nonce(1, 100_000 - 65_536), 0)).toBe(false);
    expect(window.admit('f'.repeat(32), 0)).toBe(false);
  });

  it('remembers so many senders and no more, and drops only those whose requests are all too old', () => {
    const window = new ReplayWindow(KEEP_MS);
    for (let sender = 0; sender < 1024; sender += 1) expect(window.admit(nonce(sender, 1), sender === 0 ? 0 : 10)).toBe(true);
    expect(window.admit(nonce(5000, 1), KEEP_MS)).toBe(false);
    expect(window.admit(nonce(5000, 1), KEEP_MS + 1)).toBe(true);
    expect(window.admit(nonce(7, 1), KEEP_MS + 1)).toBe(false);
  });
});
