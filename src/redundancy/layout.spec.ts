import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encodeLayout, LayoutBuilder, LayoutView, STRIPES_PER_PAGE } from './layout.js';

describe('a layout page', () => {
  it('gives back the nodes of every stripe, for small and large node numbers', () => {
    const rows = fc
      .record({ width: fc.integer({ min: 1, max: 6 }), nodeMax: fc.constantFrom(4, 255, 256, 1000) })
      .chain(({ width, nodeMax }) =>
        fc.array(fc.array(fc.integer({ min: 1, max: nodeMax }), { minLength: width, maxLength: width }), { minLength: 1 }),
      );
    fc.assert(
      fc.property(rows, (table) => {
        const width = table[0]!.length;
        const view = new LayoutView(encodeLayout(table, { k: 1, m: width - 1 }));
        expect(view.stripes).toBe(table.length);
        expect(table.map((_, stripe) => view.nodes(stripe))).toEqual(table);
      }),
    );
  });

  it('takes one byte for each shard, as long as there are fewer than 256 nodes', () => {
    const rows = Array.from({ length: STRIPES_PER_PAGE }, () => [1, 2]);
    expect(encodeLayout(rows, { k: 1, m: 1 }).length).toBe(8 + 2 * STRIPES_PER_PAGE);
  });

  it('refuses bytes that are no page: a newer format, a lost end, an added byte', () => {
    const bytes = encodeLayout([[1, 2]], { k: 1, m: 1 });
    expect(() => new LayoutView(Uint8Array.from([2, ...bytes.subarray(1)]))).toThrow(RangeError);
    expect(() => new LayoutView(bytes.subarray(0, -1))).toThrow(RangeError);
    expect(() => new LayoutView(Uint8Array.from([...bytes, 0]))).toThrow(RangeError);
    expect(() => new LayoutView(new Uint8Array(0))).toThrow(RangeError);
  });

  it('is handed out when it is full and another stripe follows, so that memory does not grow with the file', () => {
    const builder = new LayoutBuilder({ k: 1, m: 0 });
    const pages = [];
    for (let stripe = 0; stripe < 2 * STRIPES_PER_PAGE; stripe += 1) {
      const full = builder.add([1 + (stripe % 7)]);
      if (full !== undefined) pages.push(full);
    }
    pages.push(builder.lastPage());
    expect(pages.map(({ page }) => page)).toEqual([0, 1]);
    expect(pages.map(({ bytes }) => new LayoutView(bytes).stripes)).toEqual([STRIPES_PER_PAGE, STRIPES_PER_PAGE]);
    expect(new LayoutView(pages[1]!.bytes).nodes(0)).toEqual([1 + (STRIPES_PER_PAGE % 7)]);
  });
});
