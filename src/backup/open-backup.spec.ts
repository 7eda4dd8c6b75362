import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { errorCode } from '../common/errors.js';
import { newId, STORE_OWNER, type ClusterId, type FileId, type VersionId } from '../common/ids.js';
import { BackupCrypto } from '../crypto/backup-crypto.js';
import { KeyRing } from '../crypto/key-ring.js';
import { sealStream } from '../crypto/open-stream.js';
import type { SnapshotEntry } from '../metadata/metadata-store.js';
import { encodeEntry, type BackupHead } from './backup-entry.js';
import { writeBackupFile } from './backup-file.js';
import { backupEntries, backupStream } from './backup-stream.js';
import { openBackup } from './open-backup.js';

const NEVER = new AbortController().signal;
const clusterId = newId<ClusterId>();
const keyRing = KeyRing.create(clusterId, 1);
const crypto = new BackupCrypto(() => keyRing);
const head: BackupHead = { kind: 'head', clusterId, createdAt: 5, config: '{"port":1}', cluster: '{}' };

function fileEntry(name: string): SnapshotEntry {
  const [id, versionId] = [newId<FileId>(), newId<VersionId>()];
  const times = { createdAt: 1, updatedAt: 2 };
  const seal = { kekId: 'k1', wrappedKey: new Uint8Array(61), header: new Uint8Array(74), sealedDigest: new Uint8Array(61) };
  const sizes = { size: 9, sealedSize: 41, sliceBytes: 4096, k: 1, m: 1 };
  return {
    kind: 'file',
    file: { id, owner: STORE_OWNER, name, contentType: 'text/plain', size: 9, versionId, revision: 77, ...times },
    manifest: {
      versionId,
      fileId: id,
      ...sizes,
      seal,
      usage: [{ node: 1, shards: 1, bytes: 41 }],
      recordNodes: [1, 2],
      createdAt: 1,
    },
    lastPage: { page: 1, bytes: Uint8Array.of(1, 2, 3) },
  };
}

const shard = { versionId: newId<VersionId>(), stripe: 2 ** 40, index: 3 };
const ENTRIES: readonly SnapshotEntry[] = [
  { kind: 'layout', versionId: newId<VersionId>(), page: { page: 0, bytes: new Uint8Array(300).fill(7) }, revision: 2 ** 52 },
  fileEntry('A name that nobody may read \u{1F600}'),
  { kind: 'tombstone', tombstone: { fileId: newId<FileId>(), revision: 9, kekId: 'k1', nodes: [2, 3] } },
  { kind: 'damage', damage: { node: 4, shard } },
  { kind: 'proven', node: 300, at: 1_700_000_000_000 },
  { kind: 'scrub', note: { startedAt: 3, after: newId<FileId>(), unproven: [1] } },
];

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dcloud-backup-'));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

async function* from<Item>(items: readonly Item[]): AsyncGenerator<Item, void, undefined> {
  for (const item of items) yield await Promise.resolve(item);
}

async function sealed(plain: AsyncIterable<Uint8Array>, by = crypto): Promise<Buffer> {
  const { head: start, sealer } = by.seal();
  return Buffer.concat([start, ...(await Array.fromAsync(sealStream(plain, sealer)))]);
}

async function entriesOf(bytes: Uint8Array, by = crypto): Promise<readonly unknown[]> {
  const path = join(directory, 'backup');
  await writeFile(path, bytes);
  const file = await open(path, 'r');
  try {
    return await Array.fromAsync(backupEntries(openBackup(file, by, NEVER)));
  } finally {
    await file.close();
  }
}

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  const [outcome] = await Promise.allSettled([work]);
  return outcome.status === 'fulfilled' ? 'none' : errorCode(outcome.reason);
}

describe('a backup', () => {
  it('gives back what it was made of, in any amount, and tells nothing of it to who has no key', async () => {
    const small = await sealed(backupStream(head, from(ENTRIES)));
    expect(await entriesOf(small)).toEqual([head, ...ENTRIES]);
    const plain = Buffer.concat(await Array.fromAsync(backupStream(head, from(ENTRIES))));
    for (const text of ['A name that nobody may read', '"port"', 'text/plain']) {
      expect(plain.includes(text)).toBe(true);
      expect(small.includes(text)).toBe(false);
    }
    const many = Array.from({ length: 5000 }, (_, at) => fileEntry(`file ${at}`));
    expect(await entriesOf(await sealed(backupStream(head, from(many))))).toEqual([head, ...many]);
    expect(await entriesOf(await sealed(backupStream(head, from([]))))).toEqual([head]);
  });

  it('is refused with any byte of it changed, and however it is cut short or gone on with', async () => {
    const whole = await sealed(backupStream(head, from(ENTRIES)));
    const codes = new Set<string | undefined>();
    for (let at = 0; at < whole.length; at += 1) {
      const changed = Buffer.from(whole);
      changed[at]! ^= 1 << (at % 8);
      codes.add(await codeOf(entriesOf(changed)));
      if (at % 7 === 0) codes.add(await codeOf(entriesOf(whole.subarray(0, at))));
    }
    codes.add(await codeOf(entriesOf(Buffer.concat([whole, Buffer.of(0)]))));
    expect([...codes].sort()).toEqual(['backup-unusable', 'key-missing', 'storage-mismatch']);
    const many = await sealed(backupStream(head, from(Array.from({ length: 1000 }, (_, at) => fileEntry(`file ${at}`)))));
    const headBytes = crypto.open(many).headBytes;
    expect(many.length).toBeGreaterThan(3 * 65_536);
    for (const segments of [1, 2, 3])
      expect(await codeOf(entriesOf(many.subarray(0, headBytes + segments * 65_536)))).toBe('backup-unusable');
  });

  it('is refused if what is sealed in it is not whole, of another format, or of unknown kinds', async () => {
    const plain = Buffer.concat(await Array.fromAsync(backupStream(head, from(ENTRIES))));
    const framed = (bytes: Uint8Array): Buffer => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return Buffer.concat([length, bytes]);
    };
    const first = framed(encodeEntry(head)).length;
    const later = Buffer.from(encodeEntry(head));
    later[1] = 2;
    const wrong = {
      cut: plain.subarray(0, plain.length - 3),
      endless: plain.subarray(0, first),
      headless: plain.subarray(first),
      twice: Buffer.concat([plain.subarray(0, first), plain]),
      longer: Buffer.concat([plain, framed(encodeEntry(ENTRIES[4]!))]),
      fewer: Buffer.concat([plain.subarray(0, first), plain.subarray(first + framed(encodeEntry(ENTRIES[0]!)).length)]),
      later: Buffer.concat([framed(later), plain.subarray(first)]),
      unknown: Buffer.concat([plain.subarray(0, first), framed(Buffer.of(99)), plain.subarray(first)]),
      huge: Buffer.concat([plain.subarray(0, first), Buffer.of(0xff, 0xff, 0xff, 0xff)]),
    };
    for (const [kind, bytes] of Object.entries(wrong))
      expect([kind, await codeOf(entriesOf(await sealed(from([bytes]))))]).toEqual([kind, 'backup-unusable']);
    expect(await codeOf(entriesOf(await sealed(from([plain]))))).toBe('none');
  });

  it('of another cluster, of a key that is gone, or of a key ring made up anew is refused, each by its own code', async () => {
    const whole = await sealed(backupStream(head, from(ENTRIES)));
    const other = KeyRing.create(newId<ClusterId>(), 1);
    expect(await codeOf(entriesOf(whole, new BackupCrypto(() => other)))).toBe('storage-mismatch');
    const rotated = keyRing.withNewActiveKey(2);
    expect(await codeOf(entriesOf(whole, new BackupCrypto(() => rotated)))).toBe('none');
    const without = rotated.without('k1');
    expect(await codeOf(entriesOf(whole, new BackupCrypto(() => without)))).toBe('key-missing');
    const twin = KeyRing.create(clusterId, 1);
    expect(await codeOf(entriesOf(whole, new BackupCrypto(() => twin)))).toBe('backup-unusable');
  });

  it('that cannot be written to its end leaves what was there before', async () => {
    const path = join(directory, 'file');
    const target = { path, isReplacing: true };
    await writeBackupFile(target, from([Buffer.from('the first')]), NEVER);
    async function* broken(): AsyncGenerator<Uint8Array, void, undefined> {
      yield Buffer.from('half');
      await Promise.reject(new Error('lost'));
    }
    await expect(writeBackupFile(target, broken(), NEVER)).rejects.toThrow('lost');
    const nowhere = { ...target, path: join(directory, 'nowhere', 'file') };
    expect(await codeOf(writeBackupFile(nowhere, from([]), NEVER))).toBe('backup-failed');
    const file = await open(path, 'r');
    expect(await file.readFile('utf8')).toBe('the first');
    expect((await file.stat()).mode & 0o777).toBe(0o600);
    await file.close();
  });
});
