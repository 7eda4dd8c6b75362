import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  FLOE,
  assertParameters,
  isPosition,
  kdfInput,
  newMessage,
  parseSegment,
  rotationStart,
  segmentAad,
  segmentHead,
} from './floe-format.js';
import { SealError } from './seal-error.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('the FLOE format', () => {
  const message = newMessage(FLOE, new Uint8Array(32).fill(0xaa), new Uint8Array([1, 2, 3]));

  it('derives from parameters, IV, purpose and associated data, in one HKDF block', () => {
    const start = '0000' + '00010000' + '00000020' + 'aa'.repeat(32);
    expect(hex(kdfInput(message, 'HEADER_TAG:'))).toBe(`${start}${Buffer.from('HEADER_TAG:').toString('hex')}01020301`);
    expect(hex(kdfInput(message, { segmentKeyOf: 2 ** 33 + 5 }))).toBe(
      `${start}${Buffer.from('DEK:').toString('hex')}000000020000000001020301`,
    );
  });

  it('keeps a copy of the associated data', () => {
    const aad = new Uint8Array([7]);
    const copied = newMessage(FLOE, new Uint8Array(32), aad);
    aad[0] = 8;
    expect(copied.aad).toEqual(new Uint8Array([7]));
  });

  it('changes the key every 2^20 segments', () => {
    expect([0, 2 ** 20 - 1, 2 ** 20, 2 ** 40 - 1].map((position) => rotationStart(position, FLOE))).toEqual([
      0,
      0,
      2 ** 20,
      2 ** 40 - 2 ** 20,
    ]);
  });

  it('binds a segment to its position and to being the final one', () => {
    expect(hex(segmentAad(2 ** 40 - 1, false))).toBe('000000ffffffffff00');
    expect(hex(segmentAad(1, true))).toBe('000000000000000101');
  });

  it('has positions from 0 to 2^40 - 1', () => {
    expect([0, 2 ** 40 - 1].map((position) => isPosition(position, FLOE))).toEqual([true, true]);
    expect([-1, 0.5, 2 ** 40, Number.NaN].map((position) => isPosition(position, FLOE))).toEqual([false, false, false, false]);
  });

  it.each([
    { segmentBytes: 32 },
    { segmentBytes: 2 ** 32 - 1 },
    { rotationSegments: 3 },
    { rotationSegments: 0 },
    { segmentsMax: 0 },
    { segmentsMax: 2 ** 40 + 1 },
  ])('refuses the parameters %j', (wrong) => {
    expect(() => assertParameters({ ...FLOE, ...wrong })).toThrow(RangeError);
  });

  it('refuses segments of an impossible length, or of another one than they say', () => {
    const parameters = { ...FLOE, segmentBytes: 64 };
    const segment = (bytes: number, plainBytes: number, final: boolean): Uint8Array => {
      const sealed = new Uint8Array(bytes);
      sealed.set(segmentHead(plainBytes, final));
      return sealed;
    };
    expect(parseSegment(segment(64, 32, false), false, parameters).ciphertext).toHaveLength(32);
    expect(parseSegment(segment(32, 0, true), true, parameters).ciphertext).toHaveLength(0);
    const refused: [number, number, boolean, boolean][] = [
      [63, 32, false, false],
      [65, 32, false, false],
      [64, 32, true, false],
      [64, 32, false, true],
      [31, 0, true, true],
      [65, 33, true, true],
      [40, 9, true, true],
      [40, 7, true, true],
    ];
    for (const [bytes, plainBytes, sealedAsFinal, openedAsFinal] of refused) {
      expect(() => parseSegment(segment(bytes, plainBytes, sealedAsFinal), openedAsFinal, parameters)).toThrow(SealError);
    }
  });
});

describe('the modules that run in browsers', () => {
  function withImports(path: string, seen = new Map<string, string>()): Map<string, string> {
    if (seen.has(path)) return seen;
    const text = readFileSync(path, 'utf8');
    seen.set(path, text);
    for (const [, target] of text.matchAll(/from '(\.[^']+)\.js'/g)) withImports(join(dirname(path), `${target}.ts`), seen);
    return seen;
  }

  it.each(['web-floe-sealer.ts', 'web-floe-opener.ts', 'open-stream.ts', 'tuple.ts'])('%s needs nothing of Node.js', (name) => {
    const modules = withImports(join(__dirname, name));
    for (const [path, text] of modules) {
      const used = /from '[^.]|import\(|require\(|\bBuffer\b|\bprocess\./.exec(text)?.[0];
      expect({ path, used }).toEqual({ path, used: undefined });
    }
  });

  it('would be caught if they did', () => {
    expect(readFileSync(join(__dirname, 'node-floe-keys.ts'), 'utf8')).toMatch(/from '[^.]/);
  });
});
