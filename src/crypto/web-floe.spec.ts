import { describe, expect, it } from '@jest/globals';
import { FLOE } from './floe-format.js';
import { SealError } from './seal-error.js';
import { importWebFloeKey } from './web-floe-keys.js';
import { WebFloeOpener } from './web-floe-opener.js';
import { WebFloeSealer } from './web-floe-sealer.js';

const aad = new TextEncoder().encode('what it is bound to');
const small = { ...FLOE, segmentBytes: 40 };
const newKey = (): Promise<CryptoKey> => importWebFloeKey(crypto.getRandomValues(new Uint8Array(32)));

async function sealed(key: CryptoKey, plain: Uint8Array): Promise<{ header: Uint8Array; body: Buffer }> {
  const sealer = await WebFloeSealer.create(key, aad, small);
  return { header: sealer.header, body: Buffer.concat([...(await sealer.push(plain)), ...(await sealer.finish())]) };
}

describe('the WebCrypto back end', () => {
  it('refuses another key, other associated data, other parameters and every changed byte of the header', async () => {
    const key = await newKey();
    const { header } = await sealed(key, new Uint8Array(3));
    await expect(WebFloeOpener.create(await newKey(), header, aad, small)).rejects.toThrow(SealError);
    await expect(WebFloeOpener.create(key, header, aad.subarray(1), small)).rejects.toThrow(SealError);
    await expect(WebFloeOpener.create(key, header, aad)).rejects.toThrow(SealError);
    for (let byte = 0; byte < header.length; byte++) {
      const flipped = Uint8Array.from(header);
      flipped[byte]! ^= 0x80;
      await expect(WebFloeOpener.create(key, flipped, aad, small)).rejects.toThrow(SealError);
    }
  });

  it('refuses changed, moved, cut and otherwise final segments', async () => {
    const key = await newKey();
    const { header, body } = await sealed(key, new Uint8Array(20));
    const opener = await WebFloeOpener.create(key, header, aad, small);
    expect(await opener.openSegment(body.subarray(0, 40), 0, false)).toEqual(new Uint8Array(8));
    const flipped = Buffer.from(body.subarray(0, 40));
    flipped[20]! ^= 1;
    await expect(opener.openSegment(flipped, 0, false)).rejects.toThrow(SealError);
    await expect(opener.openSegment(body.subarray(0, 40), 1, false)).rejects.toThrow(SealError);
    await expect(opener.openSegment(body.subarray(0, 40), 0, true)).rejects.toThrow(SealError);
    await expect(opener.openSegment(body.subarray(0, 39), 0, false)).rejects.toThrow(SealError);
  });

  it('refuses a position that no message has, before it looks at the bytes', async () => {
    const key = await newKey();
    const { header, body } = await sealed(key, new Uint8Array(20));
    const opener = await WebFloeOpener.create(key, header, aad, { ...small, segmentsMax: 2 });
    await expect(opener.openSegment(body.subarray(80), 2, true)).rejects.toThrow(SealError);
    await expect(opener.openSegment(body.subarray(0, 40), -1, false)).rejects.toThrow(SealError);
  });

  it('makes no more segments than a message may have', async () => {
    const sealer = await WebFloeSealer.create(await newKey(), aad, { ...small, segmentsMax: 1 });
    await expect(sealer.push(new Uint8Array(17))).rejects.toThrow(RangeError);
  });

  it('does not let two calls mix their segments, and seals nothing after the final one', async () => {
    const sealer = await WebFloeSealer.create(await newKey(), aad, small);
    const first = sealer.push(new Uint8Array(100));
    await expect(sealer.push(new Uint8Array(1))).rejects.toThrow('await each push');
    await first;
    await sealer.finish();
    expect(sealer.finished).toBe(true);
    await expect(sealer.push(new Uint8Array(1))).rejects.toThrow('finished');
  });

  it('refuses a key of another length', async () => {
    await expect(importWebFloeKey(new Uint8Array(31))).rejects.toThrow(TypeError);
  });
});
