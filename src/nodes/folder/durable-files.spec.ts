import { describe, expect, it } from '@jest/globals';
import { errorCode } from '../../common/errors.js';
import { NodeError } from '../storage-node.js';
import { withoutFirst } from './durable-files.js';
import { asNodeError } from './file-errors.js';

describe('What is left after a short write', () => {
  const parts = [Buffer.from('abc'), Buffer.from('defgh'), Buffer.from('i')];

  it.each([0, 1, 2, 3, 4, 8, 9])('of %i bytes is the rest, in order', (count) => {
    expect(Buffer.concat(withoutFirst(parts, count)).toString()).toBe('abcdefghi'.slice(count));
  });

  it('has no empty parts, over which the kernel would make no progress', () => {
    expect(withoutFirst(parts, 3)).toHaveLength(2);
    expect(withoutFirst(parts, 9)).toHaveLength(0);
  });
});

describe('A failed system call', () => {
  it.each([
    ['ENOSPC', 'full'],
    ['EDQUOT', 'full'],
    ['EROFS', 'rejected'],
    ['EACCES', 'rejected'],
    ['EPERM', 'rejected'],
    ['ENOENT', 'unavailable'],
    ['EIO', 'unavailable'],
    ['EMFILE', 'unavailable'],
    ['ENOTDIR', 'unavailable'],
    ['ESTALE', 'unavailable'],
  ])('with %s means %s', (code, kind) => {
    const cause = Object.assign(new Error(code), { code, syscall: 'open' });
    const error = asNodeError(cause, 'writing');
    expect(error).toBeInstanceOf(NodeError);
    expect(error).toMatchObject({ kind, cause });
  });

  it('is not what a coded error of ours, a reason of an abort or a defect is', () => {
    for (const error of [
      new NodeError('full', 'x'),
      AbortSignal.abort().reason as Error,
      new TypeError('x'),
      Object.assign(new Error('x'), { code: 'too-busy' }),
    ]) {
      expect(asNodeError(error, 'writing')).toBe(error);
    }
    expect(errorCode(new TypeError('x'))).toBeUndefined();
  });
});
