import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { recordedOutput } from '../../../test/support/recorded-output.js';
import { SdkError } from '../../sdk/errors.js';
import { CliError } from './cli-error.js';
import type { Context } from './context.js';
import type { Exit } from './exit-codes.js';
import { transferAll, type TransferItem } from './transfer.js';

const MIB = 1_048_576;

function newContext(): { context: Context; said: string[]; exits: Exit[]; ending: AbortController } {
  const { output, said } = recordedOutput();
  const [exits, ending]: [Exit[], AbortController] = [[], new AbortController()];
  const unused = (): never => {
    throw new Error('a transfer needs no more than this');
  };
  const context: Context = {
    output,
    signal: ending.signal,
    endWith: (exit) => exits.push(exit),
    onInterrupt: unused,
    server: unused,
    drive: unused,
    adopt: unused,
    get secrets() {
      return unused();
    },
    get profile() {
      return unused();
    },
  };
  return { context, said, exits, ending };
}

function items(count: number, size = 1): TransferItem[] {
  return Array.from({ length: count }, (_, at) => ({ subject: `file ${at}`, size }));
}

/** Lets whatever can go on do so. */
const settled = (): Promise<unknown> => new Promise((resolve) => setImmediate(resolve));

describe('a transfer', () => {
  it('of all files counts what was done and what was there', async () => {
    const { context, exits } = newContext();
    const summary = await transferAll(context, items(5, 10), async ({ subject }) => (subject === 'file 3' ? 'skipped' : 'done'));
    expect(summary).toEqual({ doneFiles: 4, doneBytes: 40, skippedFiles: 1, failures: [], isComplete: true });
    expect(exits).toEqual([]);
  });

  it.each([
    ['small', 200, 1, 128],
    ['large', 6, 30 * MIB, 1],
    ['larger than what may be under way at all', 3, 100 * MIB, 1],
    ['of some megabytes', 20, 11 * MIB, 4],
  ])('has a bounded number under way of files that are %s', async (_what, count, size, most) => {
    let [underWay, seen] = [0, 0];
    const { doneFiles } = await transferAll(newContext().context, items(count, size), async () => {
      seen = Math.max(seen, (underWay += 1));
      await settled();
      underWay -= 1;
      return 'done';
    });
    expect([doneFiles, seen]).toEqual([count, most]);
  });

  it('tells what fails, leaves it behind and does the rest', async () => {
    const { context, said, exits } = newContext();
    const summary = await transferAll(context, items(50), async ({ subject }) => {
      if (subject === 'file 7') throw new SdkError('exists');
      if (subject === 'file 8') throw new SdkError('not-found');
      return 'done';
    });
    expect(summary).toMatchObject({ doneFiles: 48, isComplete: true, failures: [{ kind: 'exists' }, { kind: 'not-found' }] });
    expect(said.slice(0, 2)).toEqual([
      'dcloud: file 7: There is something of this name already.\n',
      'dcloud: file 8: There is nothing of this name, or not for you.\n',
    ]);
    expect(exits).toEqual(['failure']);
  });

  it('ends, with what is under way, at a failure that all that follow would have, too', async () => {
    const { context, said, exits } = newContext();
    const begun: string[] = [];
    const summary = await transferAll(context, items(200), async ({ subject }, { signal }) => {
      begun.push(subject);
      await settled();
      if (subject === 'file 2') throw new SdkError('quota-exceeded');
      signal.throwIfAborted();
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('broken off'))));
      return 'done';
    });
    expect(summary).toMatchObject({ doneFiles: 0, isComplete: false });
    expect(begun).toHaveLength(128);
    expect(said).toEqual(['dcloud: file 2: There is no room left for this.\n']);
    expect(exits).toEqual(['full']);
  });

  it('lets what is under way come to its end, if that is soon, and says once what is wrong', async () => {
    const { context, said, exits } = newContext();
    const begun: string[] = [];
    const summary = await transferAll(context, items(200), async ({ subject }, { signal }) => {
      begun.push(subject);
      await settled();
      if (['file 2', 'file 3', 'file 4'].includes(subject)) throw new SdkError('quota-exceeded');
      await sleep(20);
      signal.throwIfAborted();
      return 'done';
    });
    expect(summary).toMatchObject({ doneFiles: 125, isComplete: false, failures: [{ kind: 'quota-exceeded' }] });
    expect(begun).toHaveLength(128);
    expect([said, exits]).toEqual([['dcloud: file 2: There is no room left for this.\n'], ['full']]);
  });

  it('that is interrupted says so to who called, and blames no file', async () => {
    const { context, said, exits, ending } = newContext();
    const transfer = transferAll(context, items(50), async ({ subject }, { signal }) => {
      if (subject === 'file 10') ending.abort(new CliError('interrupted', 'interrupted'));
      await settled();
      signal.throwIfAborted();
      return 'done';
    });
    await expect(transfer).rejects.toMatchObject({ exit: 'interrupted' });
    expect([said, exits]).toEqual([[], []]);
  });
});
