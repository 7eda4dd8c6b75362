import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { concat, fromBase64Url, randomBytes, toBase64Url } from '../../src/sdk/bytes.js';
import { openEmpty, openPiece, piecesOf, sealPart, type ContentCipher, type SealedPart } from '../../src/sdk/content.js';
import { decodeAttributes, encodeAttributes } from '../../src/sdk/drive-attributes.js';
import { normalName } from '../../src/sdk/drive-name.js';
import { FieldReader, FieldWriter } from '../../src/sdk/fields.js';
import type { FloeBackEnd } from '../../src/sdk/floe-back-end.js';
import { formatLink, parseLink } from '../../src/sdk/link-url.js';
import { nodeFloe } from '../../src/sdk/node-floe-back-end.js';
import { paddedSizeOf, partAt, partsOf, planParts, type PartPlan } from '../../src/sdk/part-plan.js';
import { formatRecoveryCode, parseRecoveryCode } from '../../src/sdk/recovery-code.js';
import { SEAL_OVERHEAD_BYTES, openSeal, seal } from '../../src/sdk/seal.js';
import { webFloe } from '../../src/sdk/web-floe-back-end.js';
import { failureOf, flipped, newUuid, stream } from '../support/e2ee-world.js';

const runs = { numRuns: 40 };
const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });

describe('a seal', () => {
  const field = fc.oneof(fc.string(), fc.nat(), fc.uint8Array());
  const context = fc.record({ purpose: fc.string(), fields: fc.array(field) });

  it('opens to what was sealed, in its context, and is longer by a constant', async () => {
    await fc.assert(
      fc.asyncProperty(bytes(32), fc.uint8Array(), context, async (key, plain, where) => {
        const sealed = await seal(key, plain, where);
        expect(sealed).toHaveLength(plain.length + SEAL_OVERHEAD_BYTES);
        expect(await openSeal(key, sealed, where)).toEqual(Uint8Array.from(plain));
        const elsewhere = { ...where, fields: [...where.fields, 0] };
        expect(await failureOf(openSeal(key, sealed, elsewhere))).toBe('damaged');
      }),
      runs,
    );
  });

  it('does not open with any bit turned or any byte missing', async () => {
    await fc.assert(
      fc.asyncProperty(bytes(32), fc.uint8Array(), fc.nat(), fc.nat(7), async (key, plain, at, bit) => {
        const where = { purpose: 'property', fields: [] };
        const sealed = await seal(key, plain, where);
        expect(await failureOf(openSeal(key, flipped(sealed, at % sealed.length, bit), where))).toBeDefined();
        expect(await failureOf(openSeal(key, sealed.subarray(0, at % sealed.length), where))).toBeDefined();
      }),
      runs,
    );
  });
});

describe('fields', () => {
  it('read back as they were written, and never beyond their end', async () => {
    const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme' }),
        number,
        fc.array(fc.uint8Array()),
        fc.nat(),
        async (text, count, items, cut) => {
          const id = newUuid();
          const writer = new FieldWriter().u8(1).id(id).text(text).u64(count);
          const written = writer.list(items, (item) => writer.bytes(item)).finish();
          const read = (from: Uint8Array): unknown => {
            const reader = new FieldReader(from).format(1);
            const all = [reader.id(), reader.text(), reader.u64(), reader.list(() => reader.bytes())];
            reader.end();
            return all;
          };
          expect(read(written)).toEqual([id, text, count, items.map((item) => Uint8Array.from(item))]);
          expect(await failureOf(() => read(written.subarray(0, cut % written.length)))).toBe('damaged');
          expect(await failureOf(() => read(concat(written, Uint8Array.of(0))))).toBe('damaged');
        },
      ),
      runs,
    );
  });

  it('base64url has one text for each bytes', () => {
    fc.assert(fc.property(fc.uint8Array(), (some) => expect(fromBase64Url(toBase64Url(some))).toEqual(Uint8Array.from(some))));
    expect(['AQ', 'AR', 'AQ=', 'A', 'A+', ' AQ'].map((text) => fromBase64Url(text)?.length)).toEqual([1, ...Array<undefined>(5)]);
  });
});

describe('attributes', () => {
  it('read back as they were written, in multiples of 64 bytes', () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 }).filter((text) => isName(text));
    const time = fc.integer({ min: 0, max: 2 ** 45 });
    fc.assert(
      fc.property(name, time, time, fc.constantFrom('file' as const, 'folder' as const), (text, createdAt, modifiedAt, kind) => {
        const attributes = { name: text.normalize('NFC'), kind, createdAt, modifiedAt, mediaType: 'a/b' };
        const encoded = encodeAttributes({ ...attributes, name: text });
        expect(encoded.length % 64).toBe(0);
        expect(decodeAttributes(encoded)).toEqual(attributes);
      }),
    );
  });

  it.each(['', '.', '..', 'a/b', 'a\u0000', 'a\nb', '\ud800', 'x'.repeat(1_025)])('refuse the name %j', async (name) => {
    expect(await failureOf(() => normalName(name))).toBe('invalid-name');
  });
});

describe('a recovery code', () => {
  it('reads back, however it is typed', () => {
    fc.assert(
      fc.property(bytes(20), (code) => {
        const text = formatRecoveryCode(code);
        expect(text).toMatch(/^(?:[0-9A-HJKMNP-TV-Z]{4}-){8}[0-9A-HJKMNP-TV-Z*~$=U]$/);
        expect(parseRecoveryCode(text)).toEqual(Uint8Array.from(code));
        const typed = ` ${text.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l')} `;
        expect(parseRecoveryCode(typed)).toEqual(Uint8Array.from(code));
      }),
    );
  });

  it('with one wrong sign, or two neighbours exchanged, is found out', async () => {
    const symbols = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
    await fc.assert(
      fc.asyncProperty(bytes(20), fc.nat(31), fc.nat(30), async (code, at, shift) => {
        const typed = Array.from(formatRecoveryCode(code).replaceAll('-', ''));
        const right = typed[at]!;
        typed[at] = symbols.charAt((symbols.indexOf(right) + 1 + shift) % 32);
        expect(await failureOf(() => parseRecoveryCode(typed.join('')))).toBe('invalid-recovery-code');
        typed[at] = right;
        if (at === 31 || right === typed[at + 1]) return;
        [typed[at], typed[at + 1]] = [typed[at + 1]!, right];
        expect(await failureOf(() => parseRecoveryCode(typed.join('')))).toBe('invalid-recovery-code');
      }),
    );
  });
});

it('a link reads back', () => {
  fc.assert(
    fc.property(bytes(32), fc.webAuthority(), (secret, authority) => {
      const { origin } = new URL(`https://${authority.replace(/^.*@/u, '')}`);
      const address = { origin, linkId: newUuid(), secret: Uint8Array.from(secret) };
      expect(parseLink(formatLink(address))).toEqual(address);
    }),
  );
});

describe('sizes', () => {
  const size = fc.oneof(fc.nat(2_000), fc.integer({ min: 0, max: 2 ** 40 }));

  it('are padded by less than an eighth, and stay what they are when padded again', () => {
    fc.assert(
      fc.property(size, (trueSize) => {
        const padded = paddedSizeOf(trueSize);
        expect(padded).toBeGreaterThanOrEqual(trueSize);
        expect(padded).toBeLessThanOrEqual(Math.max(trueSize * 1.125, 256));
        expect(paddedSizeOf(padded)).toBe(padded);
      }),
    );
    expect([0, 1, 256, 257, 1_000, 1_000_000].map(paddedSizeOf)).toEqual([0, 256, 256, 272, 1_024, 1_015_808]);
  });

  it('are cut into parts that lie one behind the other', () => {
    fc.assert(
      fc.property(size, fc.nat(), (trueSize, at) => {
        const plan = planParts(trueSize);
        const part = at % partsOf(plan);
        const span = partAt(plan, part);
        expect(partAt(plan, partsOf(plan) - 1).plain.to).toBe(plan.paddedSize);
        expect(span.plain.from).toBe(part === 0 ? 0 : partAt(plan, part - 1).plain.to);
        expect(span.sealedSize).toBeLessThanOrEqual(plan.segmentsPerPart * 65_536);
      }),
    );
    expect(() => planParts(2 ** 41)).toThrow(RangeError);
  });
});

describe('content', () => {
  const ids = { nodeId: newUuid(), revisionId: newUuid() };
  const plain = Uint8Array.from({ length: 300_000 }, (_, at) => (at * 7) % 253);
  const plan: PartPlan = { segmentsPerPart: 2, paddedSize: paddedSizeOf(plain.length) };

  async function sealWith(floe: FloeBackEnd, contentKey: Uint8Array<ArrayBuffer>): Promise<readonly SealedPart[]> {
    const parts: SealedPart[] = [];
    for (let part = 0; part < partsOf(plan); part += 1) {
      const span = partAt(plan, part);
      const source = stream(plain.subarray(span.plain.from, span.plain.to));
      parts.push(await sealPart({ ids, contentKey, floe }, span, { source, trueSize: plain.length }));
    }
    return parts;
  }

  it.each([
    ['Web Crypto', 'node:crypto', webFloe, nodeFloe],
    ['node:crypto', 'Web Crypto', nodeFloe, webFloe],
  ])('sealed with %s opens with %s, in every range, with no segment more than needed', async (_by, _with, sealer, opener) => {
    const contentKey = randomBytes(32);
    const parts = await sealWith(sealer, contentKey);
    const cipher: ContentCipher = { ids, contentKey, floe: opener };
    const content = { plan, trueSize: plain.length, parts };
    await fc.assert(
      fc.asyncProperty(fc.nat(plain.length + 10), fc.nat(150_000), async (from, length) => {
        const opened: Uint8Array[] = [];
        for (const piece of piecesOf(content, { from, to: from + length })) {
          const { fetch } = piece;
          expect(fetch.to - fetch.from).toBeLessThanOrEqual(piece.length + 2 * 65_536 + 64);
          const sealed = stream(parts[piece.part]!.bytes.subarray(fetch.from, fetch.to));
          for await (const bytes of openPiece(cipher, content, { piece, sealed })) opened.push(bytes);
        }
        expect(Buffer.concat(opened).equals(plain.subarray(from, from + length))).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it('of no bytes has an end that is checked', async () => {
    const cipher = { ids, contentKey: randomBytes(32), floe: webFloe };
    const empty = planParts(0);
    const part = await sealPart(cipher, partAt(empty, 0), { source: stream(), trueSize: 0 });
    const content = { plan: empty, trueSize: 0, parts: [part] };
    expect(part.bytes).toHaveLength(32);
    expect(piecesOf(content, { from: 0, to: 0 })).toEqual([]);
    await openEmpty(cipher, content, part.bytes);
    expect(await failureOf(openEmpty(cipher, content, flipped(part.bytes, 31)))).toBe('damaged');
    expect(await failureOf(openEmpty(cipher, content, part.bytes.subarray(1)))).toBe('damaged');
  });
});

function isName(text: string): boolean {
  try {
    return normalName(text) !== '';
  } catch {
    return false;
  }
}
