import { describe, expect, it } from '@jest/globals';
import { makeManifest } from '../../test/support/metadata-fixtures.js';
import { newId, STORE_OWNER, type ClusterId, type FileId, type VersionId } from '../common/ids.js';
import { KeyRing } from '../crypto/key-ring.js';
import { RecordCrypto } from '../crypto/record-crypto.js';
import type { FileStatement } from '../metadata/record-codec.js';
import type { NodeRecord } from '../nodes/storage-node.js';
import { RecordSealer } from './record-sealer.js';

const clusterId = newId<ClusterId>();
let ring = KeyRing.create(clusterId, 1);
const sealer = new RecordSealer(new RecordCrypto(clusterId, () => ring));
const fileId = newId<FileId>();

function statement(): FileStatement {
  const manifest = makeManifest(fileId, { kekId: 'k1' });
  const { size, versionId } = manifest;
  const times = { createdAt: 1_700_000_000_000, updatedAt: 1_700_000_000_001 };
  const file = {
    id: fileId,
    owner: STORE_OWNER,
    name: 'ä secret name \u{1F600}',
    contentType: 'text/secret',
    size,
    versionId,
    ...times,
    revision: 77,
  };
  return { file, manifest, lastPage: { page: 3, bytes: Uint8Array.of(1, 2, 3) } };
}

const RECORDS: Readonly<Record<string, () => NodeRecord>> = {
  'a manifest': () => sealer.manifest(statement()),
  'a page': () =>
    sealer.page({ fileId, versionId: newId<VersionId>(), revision: 5, kekId: 'k1' }, { page: 2, bytes: Uint8Array.of(9) }),
  'a tombstone': () => sealer.tombstone({ fileId, revision: 9, kekId: 'k1', nodes: [1, 300] }),
};

describe('what a node keeps of a file', () => {
  it('says all of it when it is opened', () => {
    const said = statement();
    expect(sealer.open(sealer.manifest(said))).toEqual({ kind: 'file', ...said });
    const versionId = newId<VersionId>();
    const page = { page: 7, bytes: Uint8Array.of(4, 5) };
    const record = sealer.page({ fileId, versionId, revision: 1, kekId: 'k1' }, page);
    expect(record.page).toBe(8);
    expect(sealer.open(record)).toMatchObject({ kind: 'layout', versionId, page: { page: 7 } });
    const tombstone = { fileId, revision: 9, kekId: 'k1', nodes: [1, 300] };
    expect(sealer.open(sealer.tombstone(tombstone))).toEqual({ kind: 'tombstone', tombstone });
  });

  it('tells the node nothing of it', () => {
    const { bytes } = sealer.manifest(statement());
    for (const text of ['secret', 'text/']) expect(Buffer.from(bytes).includes(text)).toBe(false);
  });

  it.each(Object.keys(RECORDS))('does not open as anything but what it is: %s', (name) => {
    const record = RECORDS[name]!();
    const other = newId<FileId>();
    const forgeries: NodeRecord[] = [
      { ...record, revision: record.revision + 1 },
      { ...record, fileId: other },
      { ...record, id: other },
      { ...record, page: record.page + 1 },
      { ...record, kind: record.kind === 'tombstone' ? 'manifest' : 'tombstone' },
      { ...record, bytes: record.bytes.subarray(0, -1) },
      { ...record, bytes: new Uint8Array(0) },
    ];
    for (const forgery of forgeries)
      expect(() => sealer.open(forgery)).toThrow(expect.objectContaining({ code: 'data-damaged' }));
    const foreign = new RecordSealer(new RecordCrypto(newId<ClusterId>(), () => ring));
    expect(() => foreign.open(record)).toThrow(expect.objectContaining({ code: 'data-damaged' }));
  });

  it('does not open with any bit flipped', () => {
    const record = sealer.tombstone({ fileId, revision: 9, kekId: 'k1', nodes: [2] });
    for (let bit = 0; bit < record.bytes.length * 8; bit += 1) {
      const bytes = Uint8Array.from(record.bytes);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => sealer.open({ ...record, bytes })).toThrow();
    }
  });

  it('opens under an old key, and says which is missing when that is gone', () => {
    const record = sealer.manifest(statement());
    ring = ring.withNewActiveKey(2);
    expect(sealer.open(record)).toMatchObject({ kind: 'file' });
    expect(sealer.activeKekId).toBe('k2');
    ring = ring.without('k1');
    expect(() => sealer.open(record)).toThrow(expect.objectContaining({ code: 'key-missing' }));
  });
});
