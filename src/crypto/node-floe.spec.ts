import { describe, expect, it } from '@jest/globals';
import { createSecretKey, randomBytes } from 'node:crypto';
import { FLOE } from './floe-format.js';
import { sealedSizeOf, segmentSpan } from './floe-sizes.js';
import { NodeFloeOpener } from './node-floe-opener.js';
import { NodeFloeSealer } from './node-floe-sealer.js';
import { RandomPool } from './random-pool.js';
import { SealError } from './seal-error.js';

const P = 65_504;
const key = createSecretKey(randomBytes(32));
const aad = Buffer.from('what it is bound to');
const small = { ...FLOE, segmentBytes: 40 };

function sealAll(plain: Uint8Array, parameters = FLOE): { header: Uint8Array; body: Buffer } {
  const sealer = new NodeFloeSealer(key, aad, parameters);
  return { header: sealer.header, body: Buffer.concat([...sealer.push(plain), ...sealer.finish()]) };
}

const bytesOf = (pieces: Uint8Array[]): number => Buffer.concat(pieces).length;

describe('NodeFloeSealer', () => {
  it('holds a full segment back until one more byte shows that it is not the final one', () => {
    const sealer = new NodeFloeSealer(key, aad);
    expect(sealer.push(new Uint8Array(P))).toEqual([]);
    expect(sealer.push(new Uint8Array(0))).toEqual([]);
    expect(bytesOf(sealer.push(new Uint8Array(1)))).toBe(65_536);
    expect(bytesOf(sealer.finish())).toBe(33);
  });

  it('seals a full last segment as the final one, and nothing after it', () => {
    const sealer = new NodeFloeSealer(key, aad);
    sealer.push(new Uint8Array(P));
    expect(bytesOf(sealer.finish())).toBe(65_536);
  });

  it('has a header of 74 bytes and makes an empty message one segment', () => {
    const { header, body } = sealAll(new Uint8Array(0));
    expect(header).toHaveLength(74);
    expect(body).toHaveLength(32);
    expect(new NodeFloeOpener(key, header, aad).openSegment(body, 0, true)).toHaveLength(0);
  });

  it.each([0, 1, P - 1, P, P + 1, 2 * P, 3 * P + 5])('makes the predicted size of %d bytes', (size) => {
    expect(sealAll(new Uint8Array(size)).body).toHaveLength(sealedSizeOf(size));
  });

  it('seals a segment that comes byte by byte, and the one after it', () => {
    const plain = randomBytes(300);
    const parameters = { ...FLOE, segmentBytes: 232 };
    const sealer = new NodeFloeSealer(key, aad, parameters);
    const sealed = [...plain].flatMap((byte) => sealer.push(new Uint8Array([byte])));
    const body = Buffer.concat([...sealed, ...sealer.finish()]);
    const opener = new NodeFloeOpener(key, sealer.header, aad, parameters);
    const opened = [0, 1].map((position) => {
      const { from, to, final } = segmentSpan(position, body.length, parameters);
      return opener.openSegment(body.subarray(from, to), position, final);
    });
    expect(Buffer.concat(opened)).toEqual(plain);
  });

  it('does not seal after its final segment', () => {
    const sealer = new NodeFloeSealer(key, aad);
    expect(sealer.finished).toBe(false);
    sealer.finish();
    expect(sealer.finished).toBe(true);
    expect(() => sealer.push(new Uint8Array(1))).toThrow('finished');
    expect(() => sealer.finish()).toThrow('finished');
  });

  it('makes no more segments than a message may have', () => {
    const sealer = new NodeFloeSealer(key, aad, { ...small, segmentsMax: 2 });
    expect(bytesOf(sealer.push(new Uint8Array(16)))).toBe(40);
    expect(() => [sealer.push(new Uint8Array(1)), sealer.finish()]).toThrow(RangeError);
    expect(FLOE.segmentsMax).toBe(2 ** 40);
  });

  it('never draws an IV twice, whatever it seals', () => {
    const plain = new Uint8Array(8 * 5000);
    const ivs = [sealAll(plain, small), sealAll(plain, small)].flatMap(({ body }) =>
      Array.from({ length: 5000 }, (_, position) => body.toString('hex', position * 40 + 4, position * 40 + 16)),
    );
    expect(new Set(ivs).size).toBe(10_000);
    expect(sealAll(plain).header).not.toEqual(sealAll(plain).header);
  });

  it('refuses a key of another length', () => {
    expect(() => new NodeFloeSealer(createSecretKey(randomBytes(16)), aad)).toThrow(TypeError);
  });
});

describe('NodeFloeOpener', () => {
  const plain = randomBytes(20);
  const { header, body } = sealAll(plain, small);
  const opener = new NodeFloeOpener(key, header, aad, small);
  const segment = (position: number): Buffer => body.subarray(position * 40, position * 40 + 40);

  it('opens segments in any order', () => {
    const opened = [2, 0, 1].map((position) => opener.openSegment(segment(position), position, position === 2));
    expect(Buffer.concat(opened)).toEqual(Buffer.concat([plain.subarray(16), plain.subarray(0, 8), plain.subarray(8, 16)]));
  });

  it('refuses another key, other associated data and other parameters at once', () => {
    expect(() => new NodeFloeOpener(createSecretKey(randomBytes(32)), header, aad, small)).toThrow(SealError);
    expect(() => new NodeFloeOpener(key, header, Buffer.from('something else'), small)).toThrow(SealError);
    expect(() => new NodeFloeOpener(key, header, aad)).toThrow(SealError);
    expect(() => new NodeFloeOpener(key, header.subarray(1), aad, small)).toThrow(SealError);
  });

  it('refuses a header with any bit flipped', () => {
    for (let bit = 0; bit < header.length * 8; bit++) {
      const flipped = Buffer.from(header);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => new NodeFloeOpener(key, flipped, aad, small)).toThrow(SealError);
    }
  });

  it('refuses a position that no message has, even if such a segment was sealed', () => {
    const narrow = new NodeFloeOpener(key, header, aad, { ...small, segmentsMax: 2 });
    expect(() => narrow.openSegment(segment(2), 2, true)).toThrow(SealError);
    for (const position of [-1, 0.5, 2 ** 40, Number.NaN])
      expect(() => opener.openSegment(segment(0), position, false)).toThrow(SealError);
  });

  it('says the same whatever is wrong', () => {
    const wrong = [segment(0).subarray(1), segment(1), Buffer.alloc(40, 0xff)];
    const answers = wrong.map((bytes) => {
      try {
        return opener.openSegment(bytes, 0, false);
      } catch (error) {
        const { name, message, cause } = error as Error;
        return { name, message, cause };
      }
    });
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]).toEqual({ name: 'SealError', message: 'The sealed bytes do not authenticate' });
  });
});

describe('RandomPool', () => {
  it('gives no byte out twice and keeps none that it gave', () => {
    const pool = new RandomPool();
    const drawn = Array.from({ length: 2000 }, () => {
      const target = new Uint8Array(20);
      pool.fill(target, 4, 12);
      expect([...target.subarray(0, 4), ...target.subarray(16)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
      return Buffer.from(target.subarray(4, 16)).toString('hex');
    });
    expect(new Set(drawn).size).toBe(2000);
    const { pool: bytes } = pool as unknown as { pool: Uint8Array };
    expect(Buffer.from(bytes).includes(Buffer.from(drawn.at(-1)!, 'hex'))).toBe(false);
  });

  it('refuses to fill less than was asked for', () => {
    expect(() => new RandomPool().fill(new Uint8Array(10), 0, 12)).toThrow(RangeError);
    expect(() => new RandomPool().fill(new Uint8Array(10_000), 0, 10_000)).toThrow(RangeError);
  });
});
