import { describe, expect, it } from '@jest/globals';
import { newId, type FileId, type VersionId } from '../common/ids.js';
import {
  decodeStoreReport,
  decodeStoreTicket,
  encodeStoreReport,
  encodeStoreTicket,
  type StoreReport,
  type StoreTicket,
} from './store-ticket.js';

const TICKET: StoreTicket = {
  fileId: newId<FileId>(),
  versionId: newId<VersionId>(),
  k: 3,
  m: 2,
  sliceBytes: 1024,
  bytes: 2 ** 40,
  kekId: 'k7',
  files: new Map([
    [1, 0],
    [300, 2 ** 33],
  ]),
};
const STRIPES = {
  rows: [
    [1, 2, 3],
    [300, 1, 2],
  ],
  strays: [{ node: 4, stripe: 1, index: 2 }],
};
const SEAL = { kekId: 'k7', wrappedKey: new Uint8Array(61), header: new Uint8Array(74), sealedDigest: new Uint8Array(61) };
const REPORTS: readonly StoreReport[] = [
  { kind: 'stored', ...STRIPES, size: 5, sealedSize: 2 ** 40, seal: SEAL },
  { kind: 'failed', ...STRIPES, code: 'not-enough-nodes', detail: 'all are down' },
];

describe('what passes between the gateway and a peer that stores a body', () => {
  it('says what is to be stored, and what was', () => {
    expect(decodeStoreTicket(encodeStoreTicket(TICKET))).toEqual(TICKET);
    for (const report of REPORTS) expect(decodeStoreReport(encodeStoreReport(report))).toEqual(report);
  });

  it('counts no files where there are fewer than none', () => {
    expect(decodeStoreTicket(encodeStoreTicket({ ...TICKET, files: new Map([[1, -1]]) })).files).toEqual(new Map([[1, 0]]));
  });

  it('is refused in another format, cut, with more behind it, or with a code that does not exist', () => {
    for (const [bytes, decode] of [
      [encodeStoreTicket(TICKET), decodeStoreTicket],
      ...REPORTS.map((report) => [encodeStoreReport(report), decodeStoreReport] as const),
    ] as const) {
      expect(() => decode(Uint8Array.from([2, ...bytes.subarray(1)]))).toThrow('another format');
      for (let length = 0; length < bytes.length; length += 1) expect(() => decode(bytes.subarray(0, length))).toThrow();
      expect(() => decode(Uint8Array.from([...bytes, 0]))).toThrow();
    }
    const invented = { ...REPORTS[1], code: 'toString' } as unknown as StoreReport;
    expect(() => decodeStoreReport(encodeStoreReport(invented))).toThrow('unknown code');
  });
});
