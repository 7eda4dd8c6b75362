import { describe, expect, it } from '@jest/globals';
import { NextLooks } from './next-looks.js';

describe('looks on behalf of many', () => {
  it('are shared by those who ask before one begins, and see what was there then', async () => {
    let [value, count] = [0, 0];
    const gates: (() => void)[] = [];
    const looks = new NextLooks(async (key: string) => {
      const seen = `${key} ${value}`;
      count += 1;
      await new Promise<void>((resolve) => gates.push(resolve));
      return seen;
    });
    const first = [looks.at('a'), looks.at('a'), looks.at('b')];
    await new Promise((resolve) => setTimeout(resolve, 5)); // they have begun
    value = 1;
    const second = looks.at('a');
    await new Promise((resolve) => setTimeout(resolve, 5));
    for (const open of gates) open();
    expect(await Promise.all([...first, second])).toEqual(['a 0', 'a 0', 'b 0', 'a 1']);
    expect(count).toBe(3);
  });

  it('fail for all who shared one, and not for the next', async () => {
    let count = 0;
    const looks = new NextLooks(() => Promise.reject(new Error(`look ${(count += 1)}`)));
    await Promise.all([looks.at(1), looks.at(1)].map((look) => expect(look).rejects.toThrow('look 1')));
    await expect(looks.at(1)).rejects.toThrow('look 2');
  });
});
