import { randomUUID } from 'node:crypto';
import { DomainError, errorCode } from '../../common/errors.js';
import type { IndexPlace } from '../index-place.js';
import type { TransferableStore } from './index-transfer.js';
import { type IndexTransit, movedError } from './index-transit.js';

interface Movers {
  readonly source: TransferableStore;
  readonly target: TransferableStore;
  readonly close: () => Promise<void>;
}

/**
 * Opens an index that nobody has open, and the place that it is to be moved to.
 * @param isInUse whether the configuration names its engine; if not, it can only be one whose move is to be finished
 * @throws DomainError as {@link IndexPlace.open}
 */
export async function openMovers(from: IndexPlace, to: IndexPlace, isInUse: boolean): Promise<Movers> {
  const source = await from.open(false, { kind: 'leave' });
  try {
    const marked = await source.transfer.transit(new AbortController().signal);
    if (!isInUse && marked === undefined)
      throw new DomainError('migration-refused', `metadata.driver is "${to.engine}": an index is moved from the engine in use`);
    const target = await openTarget(from, to, marked);
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
