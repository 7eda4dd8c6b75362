import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ByteWriter } from '../../common/byte-codec.js';
import { newId, type FileId, type VersionId } from '../../common/ids.js';
import { NodeError, type NodeErrorKind, type NodeRecord, type RecordKey, type Shard } from '../storage-node.js';
import {
  decodeBatch,
  decodeProbe,
  decodeRecord,
  decodeRecordHeads,
  decodeRecordKeys,
  decodeShardIds,
  decodeShardParts,
  encodeBatch,
  encodeProbe,
  encodeRecord,
  encodeRecordHeads,
  encodeRecordKeys,
  encodeShardIds,
  encodeShardParts,
} from './peer-codec.js';
import { provenChecksum } from '../read-bytes.js';
import { encodeEntries, EntryReader } from './peer-entries.js';
import { PeerTag } from './peer-tag.js';
import { decodeFailure, encodeFailure, FrameOpener, FrameSealer, OtherRunError } from './peer-frames.js';
import { PeerSecret } from './peer-secret.js';

const SECRET = PeerSecret.of('a secret of a cluster that is only for tests');
const NONCE = '0123456789abcdef0123456789abcdef';

const safe = fc.maxSafeNat();
const someBytes = fc.uint8Array({ maxLength: 300 });
const versionId = fc.constantFrom(...Array.from({ length: 5 }, () => newId<VersionId>()));
const shardId = fc.record({ versionId, stripe: safe, index: fc.nat(255) });
const shard: fc.Arbitrary<Shard> = fc.record({
  versionId,
  stripe: safe,
  index: fc.nat(255),
  k: fc.nat(255),
  m: fc.nat(255),
  bytes: someBytes,
  checksum: fc.nat(0xff_ff_ff_ff),
});
const key: fc.Arbitrary<RecordKey> = fc.record({
  kind: fc.constantFrom('manifest' as const, 'layout' as const, 'tombstone' as const),
  id: versionId,
  page: safe,
});
const head = fc.tuple(key, safe).map(([found, revision]) => ({ ...found, revision }));
const record: fc.Arbitrary<NodeRecord> = fc
  .tuple(head, someBytes)
  .map(([found, bytes]) => ({ ...found, fileId: newId<FileId>(), bytes }));
const failure = fc
  .tuple(fc.constantFrom<NodeErrorKind>('not-found', 'corrupt', 'unavailable', 'full', 'rejected'), fc.string({ maxLength: 50 }))
  .map(([kind, detail]) => new NodeError(kind, detail));

function plain<Item extends { readonly bytes: Uint8Array }>(items: readonly Item[]): unknown[] {
  return items.map((item) => ({ ...item, bytes: [...item.bytes] }));
}

describe('what peers say to each other', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.array(shard), fc.array(record), (shards, records) => {
        const batch = decodeBatch(Buffer.concat(encodeBatch({ shards, records })));
        expect([plain(batch.shards), plain(batch.records)]).toEqual([plain(shards), plain(records)]);
        expect(records.map((one) => plain([decodeRecord(Buffer.concat(encodeRecord(one)))]))).toEqual(
          records.map((one) => plain([one])),
        );
      }),
    );
    fc.assert(
      fc.property(fc.array(shardId), fc.array(key), fc.array(head), (ids, keys, heads) => {
        expect(decodeShardIds(encodeShardIds(ids))).toEqual(ids);
        expect(decodeRecordKeys(encodeRecordKeys(keys))).toEqual(keys);
        expect(decodeRecordHeads(encodeRecordHeads(heads))).toEqual(heads);
        const parts = ids.map((id, at) => (at % 2 === 0 ? { ...id, offset: at } : { ...id, offset: 0, length: at - 1 }));
        expect(decodeShardParts(encodeShardParts(parts))).toEqual(parts);
      }),
    );
    const probe = { bytesFree: 5, bytesTotal: 2 ** 52, full: true, newestRevision: 2 ** 53 - 1 };
    expect(decodeProbe(encodeProbe(probe))).toEqual(probe);
  });

  const decoders = [
    decodeBatch,
    decodeShardParts,
    decodeShardIds,
    decodeRecordKeys,
    decodeRecordHeads,
    decodeRecord,
    decodeProbe,
  ];

  it('is refused where it is cut or changed, and never more than that', () => {
    const attempt = (bytes: Uint8Array): void => {
      for (const decode of decoders) {
        try {
          decode(bytes);
        } catch (error) {
          expect(error).toMatchObject({ name: 'NodeError', kind: 'rejected' });
        }
      }
    };
    fc.assert(
      fc.property(fc.array(shard), fc.array(record), fc.nat(), fc.nat(7), (shards, records, seed, bit) => {
        const bytes = Buffer.concat(encodeBatch({ shards, records }));
        const at = seed % bytes.byteLength;
        expect(() => decodeBatch(bytes.subarray(0, at))).toThrow('rejected: ');
        expect(() => decodeBatch(Buffer.concat([bytes, Buffer.alloc(1)]))).toThrow(NodeError);
        bytes[at]! ^= 1 << bit;
        attempt(bytes);
      }),
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), attempt));
  });

  it('makes room for nothing that is not there, whatever counts and lengths it claims', () => {
    const counts = [30_000_000, 2 ** 31, 2 ** 45].map((count) => new ByteWriter().number(count).finish());
    const rest = Buffer.alloc(30);
    const shardHead = Buffer.from([1, ...Array<number>(16).fill(0x77), 0, 0, 1, 1, 0, 0, 0, 0]);
    const before = process.memoryUsage();
    for (const decode of decoders) {
      for (const count of counts)
        for (const bytes of [
          [count, rest],
          [shardHead, count, rest],
        ])
          expect(() => decode(Buffer.concat(bytes))).toThrow(NodeError);
    }
    const { arrayBuffers, heapUsed } = process.memoryUsage();
    expect(arrayBuffers - before.arrayBuffers).toBeLessThan(64 * 1024 * 1024);
    expect(heapUsed - before.heapUsed).toBeLessThan(128 * 1024 * 1024);
  });

  it('keeps the kind and the words of an error, on one line', () => {
    fc.assert(
      fc.property(failure, (error) => {
        const { kind, message } = decodeFailure(encodeFailure(error));
        expect(kind).toBe(error.kind);
        expect(message).not.toMatch(/\p{Cc}/u);
      }),
    );
    expect(decodeFailure(encodeFailure(new NodeError('full', 'no space'))).message).toBe('full: no space');
    expect(decodeFailure(Uint8Array.of()).kind).toBe('unavailable');
    expect(decodeFailure(Uint8Array.of(99, 65)).message).toBe('unavailable: A');
  });
});

describe('a tag', () => {
  // Made with Python's `cryptography`: AESGCM(bytes(range(32))).encrypt(sequence.to_bytes(12, "big"), b"", aad)
  it.each([
    ['nothing', 0, '', 'f05d76ae4ab99fe5a6f69b3148c2363d'],
    ['a few bytes', 0, '00010203', 'c3411d5dca7dabc0c01287ecdaf16681'],
    ['the same as the second message', 1, '00010203', '056293db08f561516e051e489825b2d6'],
  ])('of %s is GMAC', (_what, sequence, hex, tag) => {
    const key = Uint8Array.from({ length: 32 }, (_, at) => at);
    expect(new PeerTag(key, sequence).update(Buffer.from(hex, 'hex')).digest().toString('hex')).toBe(tag);
  });

  it('is that of the whole, however it is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), (parts) => {
        const key = Buffer.alloc(32, 7);
        const inParts = new PeerTag(key);
        for (const part of parts) inParts.update(part);
        expect(inParts.digest()).toEqual(new PeerTag(key).update(Buffer.concat(parts)).digest());
      }),
    );
  });
});

describe('an answer in frames', () => {
  const sealed = (payloads: readonly Uint8Array[]): Buffer => {
    const sealer = new FrameSealer(SECRET, NONCE);
    return Buffer.concat(payloads.flatMap((payload, at) => sealer.data([payload], at === payloads.length - 1)));
  };
  const opened = (pieces: readonly Uint8Array[], nonce = NONCE): number[][] => {
    const opener = new FrameOpener(SECRET, nonce);
    const payloads = pieces.flatMap((piece) => [...opener.push(piece)]);
    opener.end();
    return payloads.map((payload) => [...payload]);
  };
  const payloads = fc.array(fc.uint8Array({ maxLength: 60 }), { minLength: 1, maxLength: 5 });

  it('is read as it was written, however it is cut into pieces', () => {
    fc.assert(
      fc.property(payloads, fc.array(fc.nat(400)), (written, cuts) => {
        const bytes = sealed(written);
        const ends = [...cuts.filter((cut) => cut < bytes.byteLength).toSorted((one, other) => one - other), bytes.byteLength];
        const pieces = ends.map((end, at) => bytes.subarray(at === 0 ? 0 : ends[at - 1], end));
        expect(opened(pieces)).toEqual(written.map((payload) => [...payload]));
      }),
    );
  });

  it('passes with no bit flipped, no byte missing or added, and for no other request', () => {
    fc.assert(
      fc.property(payloads, fc.nat(), fc.nat(7), (written, seed, bit) => {
        const bytes = sealed(written);
        const at = seed % bytes.byteLength;
        expect(() => opened([bytes.subarray(0, at)])).toThrow(NodeError);
        expect(() => opened([bytes, Uint8Array.of(0)])).toThrow(NodeError);
        expect(() => opened([bytes], NONCE.replace('0', '1'))).toThrow(NodeError);
        bytes[at]! ^= 1 << bit;
        expect(() => opened([bytes])).toThrow(NodeError);
      }),
    );
  });

  it('passes in its own order only', () => {
    const sealer = new FrameSealer(SECRET, NONCE);
    const frames = [1, 2, 3].map((value) => Buffer.concat(sealer.data([Uint8Array.of(value)], value === 3)));
    expect(opened(frames)).toEqual([[1], [2], [3]]);
    for (const order of [[1, 0, 2], [0, 2], [0, 0, 1, 2], [2]])
      expect(() => opened(order.map((at) => frames[at]!))).toThrow(NodeError);
  });

  it('is proved with another key each time, also for a request that is played again', () => {
    const answers = [1, 2].map((value) =>
      new FrameSealer(SECRET, NONCE).data([Uint8Array.of(value)], true).map((part) => [...part]),
    );
    const [first, second] = answers as [number[][], number[][]];
    // Else two tags under one key: enough to make others. With the salt of one, the frames of the other prove nothing.
    expect(first[0]).not.toEqual(second[0]);
    const mixed = [second[0]!, ...first.slice(1)].map((part) => Uint8Array.from(part));
    expect(() => opened(mixed)).toThrow('proves nothing');
  });

  it('ends with the error, or the notice, that it carries', () => {
    expect(() => opened(new FrameSealer(SECRET, NONCE).failure(new NodeError('full', 'no space')) as Uint8Array[])).toThrow(
      'full: no space',
    );
    expect(() => opened(new FrameSealer(SECRET, NONCE).otherRun() as Uint8Array[])).toThrow(OtherRunError);
  });

  it('carries entries that are longer than a frame, and errors between them', () => {
    const entries = [Buffer.alloc(3_000_000, 7), new NodeError('corrupt', 'a flipped bit'), Buffer.alloc(0), Buffer.alloc(1, 1)];
    const reader = new EntryReader(4, () => 3_000_000);
    for (const payload of encodeEntries(entries.map((entry) => (entry instanceof NodeError ? entry : [entry]))))
      reader.push(Buffer.concat(payload));
    const found = reader.finish().map((entry) => (entry instanceof NodeError ? entry.message : entry.byteLength));
    expect(found).toEqual([3_000_000, 'corrupt: a flipped bit', 0, 1]);
  });

  it.each([1, 4, 7, 1000])('carries what bytes were proven by, cut into pieces of %i bytes', (size) => {
    const [proven, plain] = [Buffer.alloc(5000, 7), Buffer.alloc(5000, 8)];
    const whole = Buffer.concat(
      [...encodeEntries([{ bytes: proven, checksum: 0xfedcba98 }, [plain], { bytes: plain, checksum: 0 }])].flat(),
    );
    const reader = new EntryReader(3, () => 5000);
    for (let at = 0; at < whole.byteLength; at += size) reader.push(Buffer.from(whole.subarray(at, at + size)));
    const found = reader.finish() as readonly Uint8Array[];
    expect(found.map((bytes) => bytes[0])).toEqual([7, 8, 8]);
    expect(found.map(provenChecksum)).toEqual([0xfedcba98, undefined, 0]);
  });

  it('has as many entries as were asked for, none longer than it may be', () => {
    const payload = Buffer.concat([...encodeEntries([[Buffer.alloc(10)], [Buffer.alloc(10)]])].flat());
    const read = (count: number, most: number, bytes = payload): unknown => {
      const reader = new EntryReader(count, () => most);
      reader.push(bytes);
      return reader.finish();
    };
    expect(read(2, 10)).toHaveLength(2);
    for (const attempt of [() => read(1, 10), () => read(3, 10), () => read(2, 9), () => read(2, 10, payload.subarray(0, -1))])
      expect(attempt).toThrow('rejected: ');
  });
});
