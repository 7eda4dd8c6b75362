import { ByteBudget } from '../../common/byte-budget.js';
import { mapOrdered } from '../../common/map-ordered.js';
import type { OnProgress } from '../../sdk/progress.js';
import type { Context } from './context.js';
import { commonExit, failureOf, isFatal, type Failure } from './failure.js';
import { TransferProgress } from './transfer-progress.js';

/** Small files that are under way at once: two requests full of them, and as many that are read and sealed meanwhile. */
const WIDTH = 128;
/** What those that are under way may have together; a file counts for as much as it can have in memory, so that there is one large one at a time. */
const BYTES_IN_FLIGHT = 48 * 1_048_576;
const FILE_BYTES = 65_536;
/** For what is under way when the rest is given up: most small files come to their end, and it is known that they are stored. */
const GRACE_MS = 2_000;

/** One file of many. */
export interface TransferItem {
  /** How it is called in messages. */
  readonly subject: string;
  readonly size: number;
}

export type TransferState = 'done' | 'skipped';

export interface TransferWork {
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal;
}

export interface TransferSummary {
  readonly doneFiles: number;
  readonly doneBytes: number;
  readonly skippedFiles: number;
  readonly failures: readonly Failure[];
  /** All were tried, and nothing is left to be gone on with. */
  readonly isComplete: boolean;
}

/**
 * Does something with many files, several at once, with progress. What fails is told and left behind; what would fail for all that follow, too, is told
 * once and ends it: nothing more begins, and what is under way is broken off soon.
 */
export async function transferAll<Item extends TransferItem>(
  context: Context,
  items: readonly Item[],
  work: (item: Item, work: TransferWork) => Promise<TransferState>,
): Promise<TransferSummary> {
  const { output } = context;
  const stopping = new AbortController();
  const signal = AbortSignal.any([context.signal, stopping.signal]);
  const budget = new ByteBudget(BYTES_IN_FLIGHT);
  const progress = new TransferProgress(output, { files: items.length, bytes: items.reduce((sum, { size }) => sum + size, 0) });
  const failures: Failure[] = [];
  const counts = { doneFiles: 0, doneBytes: 0, skippedFiles: 0 };
  let grace: NodeJS.Timeout | undefined;
  const isEnding = (): boolean => grace !== undefined || signal.aborted;

  const one = async (item: Item): Promise<void> => {
    const file = progress.file(item.size);
    const release = await budget.take(item.size + FILE_BYTES, signal);
    if (isEnding()) {
      release();
      return;
    }
    try {
      const state = await work(item, { onProgress: file.onProgress, signal });
      counts.skippedFiles += state === 'skipped' ? 1 : 0;
      counts.doneFiles += state === 'done' ? 1 : 0;
      counts.doneBytes += state === 'done' ? item.size : 0;
    } finally {
      release();
      if (!isOver(signal)) file.end(); // what was broken off is not done
    }
  };
  const told = async (item: Item): Promise<void> => {
    if (isEnding()) return;
    try {
      await one(item);
    } catch (error) {
      if (isOver(signal)) return;
      const failure = failureOf(error);
      if (isFatal(failure) && isEnding()) return;
      failures.push(failure);
      output.fail(failure, item.subject);
      if (isFatal(failure)) grace = setTimeout(() => stopping.abort(error), GRACE_MS);
    }
  };
  try {
    await Array.fromAsync(mapOrdered(items, WIDTH, told));
  } finally {
    clearTimeout(grace);
    progress.stop();
  }
  if (failures.length > 0) context.endWith(commonExit(failures));
  context.signal.throwIfAborted();
  return { ...counts, failures, isComplete: !isEnding() };
}

/** It may have ended while something was waited for. */
function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}
