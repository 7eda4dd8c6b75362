import { describe, expect, it } from '@jest/globals';
import { crc32 } from 'node:zlib';
import type { ClusterId, NodeId, VersionId } from '../../common/ids.js';
import { ENTRY, EntryHeader, decodePackHeader, encodePackHeader, entryBytes, packSeed } from './pack-format.js';
import { KeyEncoder } from './pack-key.js';
import { scanPack } from './pack-scan.js';

const identity = {
  clusterId: '01890a5d-ac96-774b-bcce-b302099a8057' as ClusterId,
  nodeId: '01890a5d-ac96-774b-bcce-b302099a8058' as NodeId,
  node: 1,
};
const versionId = '01890a5d-ac96-774b-bcce-b302099a80ff' as VersionId;

/** Frozen: packs that lie on disks look like this for ever. */
const PACK_VECTOR =
  '4443504b' +
  '01' +
  '000000' +
  '01890a5dac96774bbcceb302099a8057' +
  '01890a5dac96774bbcceb302099a8058' +
  '00000007' +
  '00010000' +
  '0000000100000002' +
  '00000000';
const ENTRY_VECTOR =
  '4443454e' +
  '01' +
  '01' +
  '04' +
  '02' +
  '01890a5dac96774bbcceb302099a80ff' +
  '00010000000003' +
  'ff' +
  '0000000000000000' +
  '00000000' +
  '00000003' +
  '00000000' +
  '352441c2';

describe('The header of a pack', () => {
  const header = { seq: 7, belowLeast: 65_536, newestRevision: 2 ** 32 + 2 };

  it('is the frozen vector', () => {
    const hex = Buffer.from(encodePackHeader(identity, header)).toString('hex');
    expect(hex).toBe(PACK_VECTOR + crc32(Buffer.from(PACK_VECTOR, 'hex')).toString(16).padStart(8, '0'));
    expect(decodePackHeader(Buffer.from(hex, 'hex'), identity, 7)).toEqual({ kind: 'intact', header });
  });

  it('is foreign for another node or number, and damaged for any flipped bit', () => {
    const bytes = encodePackHeader(identity, header);
    expect(decodePackHeader(bytes, identity, 8)).toEqual({ kind: 'foreign' });
    expect(decodePackHeader(bytes, { ...identity, nodeId: versionId as string as NodeId }, 7)).toEqual({ kind: 'foreign' });
    for (let bit = 0; bit < 512; bit += 1) {
      const damaged = bytes.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(decodePackHeader(damaged, identity, 7)).toEqual({ kind: 'damaged' });
    }
  });
});

describe('The header of an entry', () => {
  const [seed, offset] = [packSeed(identity, 7), 64];

  function encoded(): { readonly bytes: Uint8Array; readonly view: DataView } {
    const target = entryBytes(63);
    const header = new EntryHeader();
    header.kind = ENTRY.shard;
    [header.k, header.m] = [4, 2];
    header.key.set(new KeyEncoder().shard({ versionId, stripe: 2 ** 40 + 3, index: 255 }));
    header.payloadBytes = 3;
    header.payloadChecksum = crc32('abc');
    header.write(target, { at: 0, seed, offset });
    target.bytes.set(Buffer.from('abc'), 60);
    return target;
  }

  it('is the frozen vector', () => {
    const checksum = crc32(Buffer.from(ENTRY_VECTOR, 'hex'), (seed ^ offset) >>> 0);
    expect(Buffer.from(encoded().bytes).toString('hex')).toBe(ENTRY_VECTOR + checksum.toString(16).padStart(8, '0') + '616263');
  });

  it('is believed at its own place only, and with no bit flipped', () => {
    const header = new EntryHeader();
    expect(header.read(encoded(), { at: 0, seed, offset })).toBe(true);
    expect(header.isWhole(encoded().bytes, 0)).toBe(true);
    expect(header.read(encoded(), { at: 0, seed, offset: offset + 1 })).toBe(false);
    expect(header.read(encoded(), { at: 0, seed: packSeed(identity, 8), offset })).toBe(false);
    for (let bit = 0; bit < 480; bit += 1) {
      const damaged = encoded();
      damaged.bytes[bit >> 3] = (damaged.bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(header.read(damaged, { at: 0, seed, offset })).toBe(false);
    }
  });
});

describe('A scan', () => {
  it('finds every entry between bytes that are none, whatever the edges of its chunks cut', async () => {
    const seed = packSeed(identity, 1);
    const pack = entryBytes(5_000_000);
    const header = new EntryHeader();
    const keys = new KeyEncoder();
    const expected: number[] = [];
    let offset = 64;
    for (let stripe = 0; offset < 3_500_000; stripe += 1) {
      if (stripe % 5 === 0) offset += Buffer.from(pack.bytes.buffer).write('DCENDCEDCDCEN'.slice(0, stripe % 14), offset);
      header.key.set(keys.shard({ versionId, stripe, index: 0 }));
      header.payloadBytes = stripe % 97 === 0 ? 1_200_000 : (stripe * 7919) % 3000;
      header.write(pack, { at: offset, seed, offset });
      expected.push(offset);
      offset += header.bytes;
    }
    const size = offset + 59;
    const read = (bytes: Uint8Array, position: number): Promise<number> => {
      const part = pack.bytes.subarray(position, Math.min(size, position + bytes.byteLength));
      bytes.set(part);
      return Promise.resolve(part.byteLength);
    };
    const found: number[] = [];
    for await (const { start, entries } of scanPack({ size, seed, read })) found.push(...entries.map((at) => start + at));
    expect(found).toEqual(expected);
  });
});
