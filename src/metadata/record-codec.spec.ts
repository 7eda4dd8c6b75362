import { describe, expect, it } from '@jest/globals';
import { STORE_OWNER, type FileId, type OwnerId, type VersionId } from '../common/ids.js';
import { decodeStatement, encodeStatement, type FileStatement } from './record-codec.js';

function statement(owner: OwnerId): FileStatement {
  const id = '01920000-0000-7000-8000-000000000001' as FileId;
  const versionId = '01920000-0000-7000-8000-000000000002' as VersionId;
  const seal = { kekId: 'k1', wrappedKey: bytes(61), header: bytes(74), sealedDigest: bytes(61) };
  const times = { createdAt: 1_700_000_000_000, updatedAt: 1_700_000_000_001 };
  const file = { id, owner, name: 'ä name', contentType: 'text/plain', size: 300, versionId, ...times, revision: 2 ** 50 };
  const usage = [{ node: 1, shards: 1, bytes: 332 }];
  const shape = { size: 300, sealedSize: 332, sliceBytes: 1 << 20, k: 1, m: 1 };
  const manifest = { versionId, fileId: id, ...shape, seal, usage, recordNodes: [1, 300], createdAt: 1_700_000_000_001 };
  return { file, manifest, lastPage: { page: 3, bytes: Uint8Array.of(1, 2, 3) } };
}

const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => at);

const hex = (text: Uint8Array): string => Buffer.from(text).toString('hex');

/** What follows the format and the owner, written by the program before it knew owners. */
const FROZEN = [
  '0192000000007000800000000000000280d095ffbc3181d095ffbc31808080808080800207c3a4206e616d650a746578742f706c61696e0303010203',
  '01920000000070008000000000000001ac02cc02808040010181d095ffbc31026b313d000102030405060708090a0b0c0d0e0f101112131415161718',
  '191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c4a000102030405060708090a0b0c0d0e0f10111213141516',
  '1718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748493d0001020304050607',
  '08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c010101cc020201',
  'ac02',
].join('');

const OWNED: readonly (readonly [string, OwnerId])[] = [
  ['020b73797374656d3a74657374', 'system:test' as OwnerId],
  [hex(Buffer.from('\u0002$01920000-0000-7000-8000-000000000009')), '01920000-0000-7000-8000-000000000009' as OwnerId],
];

describe('the record of a version', () => {
  it('is in format 1 as it always was, if the file is the store’s', () => {
    expect(hex(encodeStatement(statement(STORE_OWNER)))).toBe(`01${FROZEN}`);
    expect(decodeStatement(Buffer.from(`01${FROZEN}`, 'hex'))).toEqual(statement(STORE_OWNER));
  });

  it.each(OWNED)('is in format 2 with the owner before the rest, if it is of another: %s', (head, owner) => {
    const text = `${head}${FROZEN}`;
    expect(hex(encodeStatement(statement(owner)))).toBe(text);
    expect(decodeStatement(Buffer.from(text, 'hex'))).toEqual(statement(owner));
  });

  it('is refused in any other format, and if it is cut short or too long', () => {
    for (const text of [`00${FROZEN}`, `03${FROZEN}`, `02${FROZEN}`, `01${FROZEN}00`, `01${FROZEN.slice(0, -2)}`])
      expect(() => decodeStatement(Buffer.from(text, 'hex'))).toThrow();
  });
});
