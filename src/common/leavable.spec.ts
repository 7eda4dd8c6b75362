import { getEventListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { leavable } from './leavable.js';

describe('a call that can be left behind', () => {
  const reason = new Error('nobody waits any more');
  const unhandled: unknown[] = [];
  const onUnhandled = (error: unknown): void => void unhandled.push(error);
  let caller: AbortController;
  let work: PromiseWithResolvers<string>;
  let heard: AbortSignal[];

  const call = (signal: AbortSignal): Promise<string> => {
    heard.push(signal);
    return work.promise;
  };

  beforeEach(() => {
    process.on('unhandledRejection', onUnhandled);
    caller = new AbortController();
    work = Promise.withResolvers();
    heard = [];
  });

  afterEach(async () => {
    await nextTurn();
    process.off('unhandledRejection', onUnhandled);
    expect(unhandled.splice(0)).toEqual([]);
    expect(getEventListeners(caller.signal, 'abort')).toEqual([]);
  });

  it('answers what the call answers', async () => {
    const { result } = leavable(call, caller.signal);
    work.resolve('done');
    await expect(result).resolves.toBe('done');
  });

  it('fails as the call fails', async () => {
    const { result } = leavable(call, caller.signal);
    work.reject(reason);
    await expect(result).rejects.toBe(reason);
  });

  it('is not waited for when it is left, and is told why, though it hears nothing', async () => {
    const { result, leave } = leavable(call, caller.signal);
    leave(reason);
    expect(getEventListeners(caller.signal, 'abort')).toEqual([]); // the call may hang for good
    await expect(result).rejects.toBe(reason);
    expect(heard[0]?.reason).toBe(reason);
  });

  it('fails for the reason it was left for, whatever the call makes of it', async () => {
    const { result, leave } = leavable(async (signal) => {
      signal.addEventListener('abort', () => work.reject(new Error('other')));
      return work.promise;
    }, caller.signal);
    leave(reason);
    await expect(result).rejects.toBe(reason);
  });

  it.each(['resolve', 'reject'] as const)('does not care what comes of a call that was left (%s)', async (end) => {
    const { result, leave } = leavable(call, caller.signal);
    leave(reason);
    await expect(result).rejects.toBe(reason);
    work[end]('late');
  });

  it('does not change when it is left after it has ended', async () => {
    const { result, leave } = leavable(call, caller.signal);
    work.resolve('done');
    await result;
    leave(reason);
    await expect(result).resolves.toBe('done');
  });

  it('is only told that the caller leaves, and waited for', async () => {
    const { result } = leavable(call, caller.signal);
    let hasEnded = false;
    void result.then(() => (hasEnded = true));
    caller.abort(reason);
    expect(heard[0]?.reason).toBe(reason);
    await nextTurn();
    expect(hasEnded).toBe(false);
    work.resolve('done all the same');
    await expect(result).resolves.toBe('done all the same');
  });

  it('is not begun for a caller that has left', () => {
    caller.abort(reason);
    expect(() => leavable(call, caller.signal)).toThrow(reason);
    expect(heard).toEqual([]);
  });

  it('is told of a caller that leaves while it begins', async () => {
    const { result } = leavable((signal) => {
      caller.abort(reason);
      return call(signal);
    }, caller.signal);
    expect(heard[0]?.reason).toBe(reason);
    work.resolve('done');
    await result;
  });

  it('leaves no listener when it throws before it is a promise', () => {
    const broken = (): never => {
      throw reason;
    };
    expect(() => leavable(broken, caller.signal)).toThrow(reason);
  });

  it('has no need of a caller, and takes the signal it is given', async () => {
    const { result, leave } = leavable(call, undefined, caller);
    expect(heard).toEqual([caller.signal]);
    leave(reason);
    await expect(result).rejects.toBe(reason);
    expect(caller.signal.reason).toBe(reason);
  });
});
