import { describe, expect, it } from '@jest/globals';
import { errorCode } from '../../common/errors.js';
import { NodeError } from '../storage-node.js';
import { writeAll } from './durable-files.js';
import { NODE_FILE_CALLS } from './file-calls.js';
import { asNodeError } from './file-errors.js';

describe('Writing all of some bytes', () => {
  it.each([1, 2, 3, 100])('goes on after a short write of %i bytes, at the right position', async (most) => {
    const written = Buffer.alloc(20);
    const write = (_descriptor: number, bytes: Uint8Array, position: number): Promise<number> => {
      const count = Math.min(most, bytes.byteLength);
      written.set(bytes.subarray(0, count), position);
      return Promise.resolve(count);
    };
    await writeAll({ ...NODE_FILE_CALLS, write }, { descriptor: 0, position: 5 }, Buffer.from('abcdefghi'));
    expect(written.subarray(5, 15).toString()).toBe('abcdefghi\0');
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
