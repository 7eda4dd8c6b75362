import { describe, expect, it } from '@jest/globals';
import { createSecretKey, randomBytes } from 'node:crypto';
import { newId } from '../common/ids.js';
import { bodyAad, openDigest, sealDigest, unwrapVersionKey, wrapVersionKey, type VersionIds } from './envelope.js';
import { SealError } from './seal-error.js';
import { tuple } from './tuple.js';

const ids: VersionIds = { fileId: newId(), versionId: newId() };
const wrapping = { id: 'k7', key: createSecretKey(randomBytes(32)) };
const versionKey = createSecretKey(randomBytes(32));

describe('the envelope of a version key', () => {
  const wrapped = wrapVersionKey(wrapping, versionKey, ids);

  it('is 61 bytes, begins with its format and opens again', () => {
    expect(wrapped).toHaveLength(61);
    expect(wrapped[0]).toBe(1);
    expect(unwrapVersionKey(wrapping, wrapped, ids).equals(versionKey)).toBe(true);
  });

  it('is another one each time', () => expect(wrapVersionKey(wrapping, versionKey, ids)).not.toEqual(wrapped));

  it('opens for no other file, version, key or key id', () => {
    const refused = [
      () => unwrapVersionKey(wrapping, wrapped, { ...ids, fileId: newId() }),
      () => unwrapVersionKey(wrapping, wrapped, { ...ids, versionId: newId() }),
      () => unwrapVersionKey({ ...wrapping, id: 'k8' }, wrapped, ids),
      () => unwrapVersionKey({ ...wrapping, key: createSecretKey(randomBytes(32)) }, wrapped, ids),
    ];
    for (const open of refused) expect(open).toThrow(SealError);
  });

  it('refuses any flipped bit and any other length', () => {
    for (let bit = 0; bit < wrapped.length * 8; bit++) {
      const flipped = Buffer.from(wrapped);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => unwrapVersionKey(wrapping, flipped, ids)).toThrow(SealError);
    }
    for (const length of [0, 1, 29, 60])
      expect(() => unwrapVersionKey(wrapping, wrapped.subarray(0, length), ids)).toThrow(SealError);
    expect(() => unwrapVersionKey(wrapping, Buffer.concat([wrapped, new Uint8Array(1)]), ids)).toThrow(SealError);
  });

  it('does not seal a key of another length', () => {
    expect(() => wrapVersionKey(wrapping, createSecretKey(randomBytes(16)), ids)).toThrow(TypeError);
  });
});

describe('the sealed digest', () => {
  const digest = randomBytes(32);
  const sealed = sealDigest(versionKey, digest, ids.versionId);

  it('opens for its version and key alone', () => {
    expect(Buffer.from(openDigest(versionKey, sealed, ids.versionId))).toEqual(digest);
    expect(() => openDigest(versionKey, sealed, newId())).toThrow(SealError);
    expect(() => openDigest(createSecretKey(randomBytes(32)), sealed, ids.versionId)).toThrow(SealError);
  });

  it('tells nothing about the digest and is no other seal', () => {
    expect(Buffer.from(sealed).includes(digest.subarray(0, 8))).toBe(false);
    expect(() => unwrapVersionKey({ id: 'k7', key: versionKey }, sealed, ids)).toThrow(SealError);
    expect(() => sealDigest(versionKey, digest.subarray(1), ids.versionId)).toThrow(TypeError);
  });
});

describe('what a body is bound to', () => {
  it('is its version and part', () => {
    expect(bodyAad(ids.versionId)).toEqual(tuple('sse/v1/body', ids.versionId, 0));
    expect(bodyAad(ids.versionId, 1)).not.toEqual(bodyAad(ids.versionId));
  });
});
