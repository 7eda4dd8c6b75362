import type { RootDatabase } from 'lmdb';
import type { IndexDatabase, OpenDatabase } from './index-database.js';
import { toIndexError } from '../index-error.js';
import type { IndexTables } from './index-tables.js';

interface Change {
  /** Runs it inside the transaction under way; what it returns or throws is kept until the transaction is durable. */
  readonly apply: (database: OpenDatabase) => void;
  /** Tells the caller how it went. */
  readonly settle: () => void;
  readonly reject: (error: unknown) => void;
}

/** Changes run on the event loop inside the transaction; after this long the rest of them waits for the next one. */
const BATCH_MS_MAX = 4;

/**
 * Group commit: changes that are asked for while one transaction is being synced go together into the next, and share its fsync.
 * A change runs in a nested transaction, so that one that throws leaves nothing behind and disturbs no other.
 * At most one transaction is under way, although lmdb has a queue itself: so a commit that fails is known to have failed for exactly
 * these changes, and none is begun before the database was opened anew.
 */
export class GroupCommit {
  private queue: Change[] = [];
  private draining: Promise<void> | undefined;

  constructor(private readonly database: IndexDatabase) {}

  /** Resolves when what `change` wrote is on the disk. It must be synchronous, and may run later than now. */
  run<Result>(change: (tables: IndexTables) => Result): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    let settle = (): void => reject(new Error('the change did not run'));
    const apply = ({ environment, tables }: OpenDatabase): void => {
      try {
        runNested(environment, () => {
          const result = change(tables);
          settle = () => resolve(result);
        });
      } catch (error) {
        settle = () => reject(toIndexError(error));
      }
    };
    this.queue.push({ apply, settle: () => settle(), reject });
    this.draining ??= this.drain();
    return promise;
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await this.draining;
  }

  private async drain(): Promise<void> {
    while (this.queue.length > 0) await this.commitSome();
    this.draining = undefined;
  }

  private async commitSome(): Promise<void> {
    const taken: Change[] = [];
    try {
      const database = this.database.ensureOpen();
      await database.environment.transaction(() => this.applySome(database, taken));
    } catch (error) {
      await this.fail(taken, error);
      return;
    }
    for (const change of taken) change.settle();
  }

  private applySome(database: OpenDatabase, taken: Change[]): void {
    const deadline = performance.now() + BATCH_MS_MAX;
    for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) {
      taken.push(next);
      next.apply(database);
      if (performance.now() >= deadline) return;
    }
  }

  /** If the transaction did not even begin, whoever waits for one fails: trying again at once would be for ever. */
  private async fail(taken: readonly Change[], error: unknown): Promise<void> {
    const failed = taken.length > 0 ? taken : this.queue.splice(0);
    const cause = await causeOf(error);
    await this.database.reopen();
    for (const change of failed) change.reject(toIndexError(cause));
  }
}

/** Inside a transaction lmdb runs a nested one at once, whatever its type says, and throws what `work` throws. */
function runNested(environment: RootDatabase, work: () => void): void {
  void environment.childTransaction(work);
}

/** lmdb rejects with "Commit failed" and a promise that is rejected with the reason; unseen, it would end the process. */
async function causeOf(error: unknown): Promise<unknown> {
  if (typeof error !== 'object' || error === null || !('commitError' in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (reason) {
    return reason;
  }
}
