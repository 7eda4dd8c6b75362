import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { encodeBase64Url, fromBase64Url, toBase64Url } from './bytes.js';

describe('base64url', () => {
  it('is the same whether the engine makes it or we do, and reads back', () => {
    for (let length = 0; length <= 100; length += 1) {
      const bytes = Uint8Array.from(randomBytes(length));
      const text = Buffer.from(bytes).toString('base64url');
      expect([toBase64Url(bytes), encodeBase64Url(bytes)]).toEqual([text, text]);
      expect(fromBase64Url(text)).toEqual(bytes);
    }
  });
});
