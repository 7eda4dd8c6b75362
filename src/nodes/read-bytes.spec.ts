import { crc32 } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { checksumOf, letGo, noteRead } from './read-bytes.js';

describe('bytes that were read', () => {
  it('carry on the checksum that they were proven by, others are summed', () => {
    const bytes = Uint8Array.of(1, 2, 3);
    expect(checksumOf(bytes)).toBe(crc32(bytes));
    noteRead(bytes, 7);
    expect(checksumOf(bytes)).toBe(7);
    expect(checksumOf(bytes.subarray(0, 2))).toBe(crc32(bytes.subarray(0, 2)));
  });

  it('are given back if they have a buffer of their own, and only then', () => {
    const [own, shared] = [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6)];
    noteRead(own, 7);
    for (const bytes of [own, own, shared, own.subarray(0, 1)]) letGo(bytes);
    expect(own.byteLength).toBe(0);
    expect(shared).toEqual(Uint8Array.of(4, 5, 6));
  });
});
