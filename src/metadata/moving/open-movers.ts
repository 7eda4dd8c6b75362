import { randomUUID } from 'node:crypto';
import { errorCode } from '../../common/errors.js';
import type { IndexPlace } from '../index-place.js';
import type { TransferableStore } from './index-transfer.js';
import { type IndexTransit, movedError } from './index-transit.js';

interface Movers {
  readonly source: TransferableStore;
  readonly target: TransferableStore;
  readonly close: () => Promise<void>;
}

/** Opens an index that nobody uses, and the place that it is to be moved to. @throws DomainError as {@link IndexPlace.open} */
export async function openMovers(from: IndexPlace, to: IndexPlace): Promise<Movers> {
  const source = await from.open(false, { kind: 'leave' });
  try {
    const target = await openTarget(from, to, await source.transfer.transit(new AbortController().signal));
    return {
      source,
      target,
      close: async () => {
        await Promise.all([source.close(), target.close()]);
      },
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/**
 * Opens the place that an index is to be moved to.
 * @param marked the mark of the index that is moved, if it has one
 * @throws DomainError `index-moved` if it is there already, `migration-refused` if something else is, and as {@link IndexPlace.open}
 */
export async function openTarget(from: IndexPlace, to: IndexPlace, marked: IndexTransit | undefined): Promise<TransferableStore> {
  const isCommitted = marked !== undefined;
  const id = marked?.id ?? randomUUID();
  try {
    return await to.open(!isCommitted, { kind: 'arrive', from: from.engine, id, isCommitted });
  } catch (error) {
    if (isCommitted && errorCode(error) === 'storage-missing') throw movedError(from.engine, to.engine);
    throw error;
  }
}
