import { describe, expect, it } from '@jest/globals';
import { newId, type FileId, type LeaseId, type VersionId } from '../common/ids.js';
import { decodeTicket, encodeTicket, type ReadTicket } from './read-ticket.js';

const TICKET: ReadTicket = {
  lease: newId<LeaseId>(),
  range: { from: 5, to: 2 ** 40 },
  manifest: {
    versionId: newId<VersionId>(),
    fileId: newId<FileId>(),
    size: 2 ** 41,
    sealedSize: 2 ** 41 + 99,
    sliceBytes: 1024,
    k: 3,
    m: 2,
    createdAt: 1_700_000_000_000,
    seal: { kekId: 'key', wrappedKey: new Uint8Array(61), header: new Uint8Array(74), sealedDigest: new Uint8Array(61) },
    usage: [{ node: 300, shards: 2, bytes: 4000 }],
    recordNodes: [1, 300],
  },
};

describe('a ticket', () => {
  it('says what is to be read', () => {
    expect(decodeTicket(encodeTicket(TICKET))).toEqual(TICKET);
  });

  it('is refused in another format, cut, or with more behind it', () => {
    const bytes = encodeTicket(TICKET);
    expect(() => decodeTicket(Uint8Array.from([2, ...bytes.subarray(1)]))).toThrow('another format');
    for (let length = 0; length < bytes.length; length += 1) expect(() => decodeTicket(bytes.subarray(0, length))).toThrow();
    expect(() => decodeTicket(Uint8Array.from([...bytes, 0]))).toThrow();
  });
});
