import { describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { newId, type ClusterId, type FileId, type VersionId } from '../common/ids.js';
import { KeyRing } from './key-ring.js';
import { VersionCrypto, type VersionSeal } from './version-keys.js';

const ids = { fileId: newId<FileId>(), versionId: newId<VersionId>() };
const plain = randomBytes(1000);
const digest = createHash('sha256').update(plain).digest();

function store(): { ring: { now: KeyRing }; crypto: VersionCrypto } {
  const ring = { now: KeyRing.create(newId<ClusterId>(), 1) };
  return { ring, crypto: new VersionCrypto(() => ring.now) };
}

function sealed(crypto: VersionCrypto): { body: Buffer; seal: VersionSeal } {
  const { sealer, finishSeal } = crypto.seal(ids.fileId, ids.versionId);
  const body = Buffer.concat([...sealer.push(plain), ...sealer.finish()]);
  return { body, seal: finishSeal(digest) };
}

const damaged = expect.objectContaining({ code: 'data-damaged' });

describe('VersionCrypto', () => {
  it('opens what it sealed', () => {
    const { crypto } = store();
    const { body, seal } = sealed(crypto);
    const { opener, digest: openedDigest } = crypto.open(ids, seal);
    expect(Buffer.from(opener.openSegment(body, 0, true))).toEqual(plain);
    expect(Buffer.from(openedDigest())).toEqual(digest);
    expect([seal.kekId, seal.wrappedKey.length, seal.header.length, seal.sealedDigest.length]).toEqual(['k1', 61, 74, 61]);
  });

  it('gives every version a key of its own', () => {
    const { crypto } = store();
    const [one, other] = [sealed(crypto), sealed(crypto)];
    expect(() => crypto.open(ids, { ...one.seal, header: other.seal.header })).toThrow(damaged);
  });

  it('wraps by the key that is active at the commit, not when the upload began', () => {
    const { ring, crypto } = store();
    const { sealer, finishSeal } = crypto.seal(ids.fileId, ids.versionId);
    sealer.finish();
    ring.now = ring.now.withNewActiveKey(2).without('k1');
    const seal = finishSeal(digest);
    expect(seal.kekId).toBe('k2');
    crypto.open(ids, seal);
  });

  it('takes over what another process has sealed, under the key that is active by then', () => {
    const { ring, crypto } = store();
    const { seal } = sealed(crypto);
    const same = crypto.adopt(ids, seal);
    expect([same.seal, Buffer.from(same.sum)]).toEqual([seal, digest]);
    ring.now = ring.now.withNewActiveKey(2);
    const { seal: rewrapped, sum } = crypto.adopt(ids, seal);
    expect([rewrapped.kekId, rewrapped.header, Buffer.from(sum)]).toEqual(['k2', seal.header, digest]);
    expect(Buffer.from(crypto.open(ids, rewrapped).digest())).toEqual(digest);
    expect(() => crypto.adopt({ ...ids, versionId: newId<VersionId>() }, seal)).toThrow(damaged);
    expect(() => crypto.adopt(ids, { ...seal, kekId: 'k9' })).toThrow(expect.objectContaining({ code: 'key-missing' }));
    expect(() => crypto.adopt(ids, { ...seal, sealedDigest: sealed(crypto).seal.sealedDigest })).toThrow(damaged);
  });

  it('is not committed before it is sealed', () => {
    const { finishSeal } = store().crypto.seal(ids.fileId, ids.versionId);
    expect(() => finishSeal(digest)).toThrow('final segment');
  });

  it('rewraps without touching the body, after which the old key may go', () => {
    const { ring, crypto } = store();
    const { body, seal } = sealed(crypto);
    ring.now = ring.now.withNewActiveKey(2);
    const { from, ...wrapped } = crypto.rewrap(ids, seal);
    expect([from, wrapped.kekId]).toEqual(['k1', 'k2']);
    ring.now = ring.now.without('k1');
    const { opener } = crypto.open(ids, { ...seal, ...wrapped });
    expect(Buffer.from(opener.openSegment(body, 0, true))).toEqual(plain);
    expect(() => crypto.open(ids, seal)).toThrow(expect.objectContaining({ code: 'key-missing' }));
  });

  it('does not open for another file or version, or with swapped parts', () => {
    const { ring, crypto } = store();
    const { seal } = sealed(crypto);
    ring.now = ring.now.withNewActiveKey(2);
    const refused = [
      () => crypto.open({ ...ids, fileId: newId() }, seal),
      () => crypto.open({ ...ids, versionId: newId() }, seal),
      () => crypto.open(ids, { ...seal, kekId: 'k2' }),
      () => crypto.open(ids, { ...seal, wrappedKey: seal.sealedDigest }),
      () => crypto.open(ids, { ...seal, sealedDigest: seal.wrappedKey }).digest(),
      () => crypto.rewrap({ ...ids, versionId: newId() }, seal),
    ];
    for (const call of refused) expect(call).toThrow(damaged);
  });
});
