import { describe, expect, it } from '@jest/globals';
import type { FileId } from '../common/ids.js';
import { DOCUMENT_BYTES_MAX } from '../documents/document-store.js';
import { decodeLogin, encodeLogin, IDENTITY_BYTES_MAX, type LoginRecord, SEALED_BYTES_MAX } from './login-record.js';

const LOGIN: LoginRecord = {
  account: '01920000-0000-7000-8000-000000000001' as FileId,
  setup: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
  password: 'AQID',
  recovery: 'BAUG',
  epoch: 3,
  keptSession: '01920000-0000-7000-8000-000000000002' as FileId,
  bundle: { sealed: Uint8Array.of(7, 8), identity: Uint8Array.of(9) },
};

/** As it is kept since version 1; what is written here must be readable for ever. */
const FROZEN =
  '012430313932303030302d303030302d373030302d383030302d30303030303030303030303108010203040506070803010203030405060324' +
  '30313932303030302d303030302d373030302d383030302d3030303030303030303030320207080109';

describe('a login as it is kept', () => {
  it('is read as it was written', () => {
    expect(Buffer.from(encodeLogin(LOGIN)).toString('hex')).toBe(FROZEN);
    expect(decodeLogin(Buffer.from(FROZEN, 'hex'))).toEqual(LOGIN);
    const bare = { ...LOGIN, recovery: undefined, keptSession: undefined };
    expect(decodeLogin(encodeLogin(bare))).toEqual(bare);
  });

  it('fits into a document with the largest bundle there can be', () => {
    const bundle = { sealed: new Uint8Array(SEALED_BYTES_MAX), identity: new Uint8Array(IDENTITY_BYTES_MAX) };
    const record = 'A'.repeat(1024);
    expect(encodeLogin({ ...LOGIN, password: record, recovery: record, bundle }).length).toBeLessThan(DOCUMENT_BYTES_MAX);
  });

  it('is not read with a byte too many or too few, or of another version', () => {
    const bytes = Buffer.from(FROZEN, 'hex');
    const other = Buffer.from(bytes);
    other[0] = 2;
    for (const damaged of [bytes.subarray(0, -1), Buffer.concat([bytes, Buffer.of(0)]), other, Buffer.alloc(0)])
      expect(() => decodeLogin(damaged)).toThrow(expect.objectContaining({ code: 'data-damaged' }));
  });
});
