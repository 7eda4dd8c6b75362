import { describe, expect, it } from '@jest/globals';
import { crc32 } from 'node:zlib';
import type { ClusterId, VersionId } from '../../common/ids.js';
import { brokenShard, decodeShardHeader, encodeShardHeader, type ShardHeader } from './shard-format.js';

const header: ShardHeader = {
  clusterId: '01890a5d-ac96-774b-bcce-b302099a8057' as ClusterId,
  versionId: '01890a5d-ac96-774b-bcce-b302099a80ff' as VersionId,
  stripe: 2 ** 40 + 3,
  index: 255,
  k: 4,
  m: 2,
  payloadBytes: 65_537,
  payloadChecksum: 0xdeadbeef,
};

/** Frozen: shards that lie on disks begin like this for ever. */
const VECTOR =
  '44435348' +
  '01' +
  '04' +
  '02' +
  'ff' +
  '01890a5dac96774bbcceb302099a8057' +
  '01890a5dac96774bbcceb302099a80ff' +
  '0000010000000003' +
  '00010001' +
  'deadbeef' +
  '00000000';

describe('The header of a shard', () => {
  it('is the frozen vector of format 1', () => {
    const fields = Buffer.from(VECTOR, 'hex');
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32BE(crc32(fields));
    expect(Buffer.from(encodeShardHeader(header)).toString('hex')).toBe(Buffer.concat([fields, checksum]).toString('hex'));
  });

  it('is read back as it was written, also from the middle of a larger buffer', () => {
    const file = Buffer.concat([Buffer.alloc(3), encodeShardHeader(header), Buffer.alloc(9)]);
    expect(decodeShardHeader(file.subarray(3))).toEqual({ kind: 'intact', header });
  });

  it('is refused with any bit flipped', () => {
    const bytes = encodeShardHeader(header);
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(decodeShardHeader(flipped).kind).toBe(bit < 32 ? 'foreign' : 'damaged');
    }
  });

  it.each([0, 1, 4, 63])('is refused when only %i bytes of it are left', (size) => {
    expect(decodeShardHeader(encodeShardHeader(header).subarray(0, size)).kind).toBe(size < 4 ? 'foreign' : 'damaged');
  });

  it('of a newer program is told apart from a damaged one', () => {
    expect(decodeShardHeader(changed({ at: 4, to: 2 }))).toEqual({ kind: 'future', version: 2 });
  });

  it.each([
    { what: 'format 0', at: 4, to: 0 },
    { what: 'a reserved byte', at: 57, to: 1 },
    { what: 'k = 0', at: 5, to: 0 },
    { what: 'a stripe beyond the safe numbers', at: 40, to: 1 },
    { what: 'a length beyond the limit', at: 48, to: 0xff },
    { what: 'a version that is no UUID', at: 24 + 6, to: 0xff },
  ])('with $what is damaged, whatever its checksum says', (change) => {
    expect(decodeShardHeader(changed(change)).kind).toBe('damaged');
  });
});

describe('The fields of a shard', () => {
  it.each([
    { stripe: -1 },
    { stripe: 0.5 },
    { stripe: 2 ** 53 },
    { index: 256 },
    { index: -1 },
    { k: 0 },
    { k: 256 },
    { m: 256 },
    { m: Number.NaN },
    { payloadBytes: 2 ** 28 + 1 },
    { payloadChecksum: 2 ** 32 },
    { payloadChecksum: -1 },
  ])('that do not fit are named: %j', (part) => {
    expect(brokenShard({ ...header, ...part })).toEqual(expect.any(String));
  });

  it('that fit are not complained about', () => {
    expect(brokenShard(header)).toBeUndefined();
  });
});

function changed({ at, to }: { readonly at: number; readonly to: number }): Uint8Array {
  const bytes = encodeShardHeader(header);
  bytes[at] = to;
  new DataView(bytes.buffer).setUint32(60, crc32(bytes.subarray(0, 60)));
  return bytes;
}
