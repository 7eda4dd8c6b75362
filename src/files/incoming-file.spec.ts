import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { LIMITS } from '../config/limits.js';
import type { Exchange } from '../http/exchange.js';
import { digestOf, incomingFile } from './incoming-file.js';

const SUM = createHash('sha256').update('body').digest();
const GIVEN = `sha-256=:${SUM.toString('base64')}:`;

const refusal = { code: 'invalid-digest', detail: expect.stringContaining('base64 between colons') };

describe('a digest', () => {
  it.each([
    GIVEN,
    ` ${GIVEN} `,
    `${GIVEN};a=1`,
    GIVEN.slice(0, -2) + ':',
    `sha-512=:AAAA:, ${GIVEN}`,
    `${GIVEN}\t,md5=?1`,
    `sha-256=:${Buffer.alloc(32).toString('base64')}:,${GIVEN}`,
  ])('is read: %s', (header) => {
    expect(digestOf(header)).toEqual(SUM);
  });

  it.each([undefined, '', ' ', 'sha-512=:AAAA:', 'md5=abc;x, unixsum=5', 'sha', 'sha-2567=:AAAA:'])(
    'of another algorithm, or none, is ignored: %s',
    (header) => {
      expect(digestOf(header)).toBeUndefined();
    },
  );

  it.each([
    `sha-256=${SUM.toString('hex')}`,
    `sha-256=:${SUM.toString('hex')}:`,
    `sha-256=${SUM.toString('base64')}`,
    `sha-256="${SUM.toString('base64')}"`,
    `sha-256=:${SUM.toString('base64url')}!:`,
    `sha-256=:${SUM.subarray(1).toString('base64')}:`,
    `sha-256=:${Buffer.alloc(64).toString('base64')}:`,
    'sha-256=::',
    'sha-256',
    `${GIVEN}x`,
    `${GIVEN},`,
    `sha-256=x, ${GIVEN}`,
    `SHA-256=:${SUM.toString('base64')}:`,
    SUM.toString('hex'),
    `sha-256 = ${GIVEN}`,
  ])('that cannot be read is refused: %s', (header) => {
    expect(() => digestOf(header)).toThrow(expect.objectContaining(refusal));
  });
});

describe('an upload', () => {
  const upload = (headers: Record<string, string>): Promise<unknown> =>
    incomingFile({ request: { headers } } as unknown as Exchange, undefined, LIMITS);

  it.each(['repr-digest', 'content-digest'])('is refused before its body is read if its %s cannot be read', async (name) => {
    await expect(upload({ [name]: `sha-256=${SUM.toString('hex')}` })).rejects.toMatchObject(refusal);
    const form = { 'content-type': 'multipart/form-data; boundary=x' };
    await expect(upload({ [name]: `sha-256=${SUM.toString('hex')}`, ...form })).rejects.toMatchObject(refusal);
    await expect(upload({ [name]: GIVEN, ...form })).rejects.toMatchObject({
      code: 'invalid-digest',
      detail: expect.stringContaining('not with a form'),
    });
  });

  it('has the digest of either header', async () => {
    for (const headers of [
      { 'repr-digest': GIVEN },
      { 'content-digest': GIVEN },
      { 'repr-digest': 'sha-512=:AAAA:', 'content-digest': GIVEN },
    ])
      expect(await upload(headers)).toMatchObject({ expectedDigest: SUM });
  });
});
