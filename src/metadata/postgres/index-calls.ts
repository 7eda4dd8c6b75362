import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { Client, QueryResultRow } from 'pg';
import { DomainError } from '../../common/errors.js';
import { OutcomeUnknownError } from '../../common/outcome-unknown-error.js';
import { within } from '../../common/within.js';
import { closedError } from '../index-error.js';
import { faultOf, toCallerError } from './database-error.js';
import type { DatabaseSession } from './database-session.js';
import { FencedError } from './fenced-error.js';
import { CHECK_TOKEN } from './note-statements.js';
import type { Statement, Values } from './statement.js';
import type { Slot, SlotRow, Tenure } from './tenure.js';

/** Of a statement that changes something. */
export interface ChangeRow extends QueryResultRow {
  /** False if another gateway has taken the slot; for a change of a file also if it was refused. */
  readonly made: boolean;
}

/** A change that must not be made twice. */
export interface FileChange<Result> {
  readonly statement: Statement;
  readonly values: Values;
  /** Different from that of each other change. */
  readonly revision: number;
  /** What became of it, from its rows. @throws if the change was refused */
  readonly decode: (row: ChangeRow) => Result;
  /** The same, if its answer was lost and it is known to be made: from the file as it was before it. */
  readonly recall: (before: unknown) => Result;
}

/** Calls that a conflict undid are made so often. */
const ATTEMPTS = 10;
const BACKOFF_MS = 4;
const BACKOFF_MS_MAX = 200;
/** How long a call waits for the database to be there again, when it was lost in the middle. */
const RESUME_MS_MAX = 3000;
/** How long a caller waits to be told what became of a call, and the time after which one is not made again. */
const OUTCOME_MS_MAX = 15_000;
/** Between two looks at what became of a call. */
const SETTLE_MS_MIN = 10;
const SETTLE_MS_MAX = 1000;

/** What a slot made last, and the tenure to go on with. */
interface Outcome {
  readonly tenure: Tenure;
  readonly row: SlotRow;
}

type Work<Result> = (tenure: Tenure, slot: Slot) => Promise<Result>;

/** Makes calls to the database: each in a slot, and again where that is safe. */
export class IndexCalls {
  private readonly underWay = new Set<Promise<unknown>>();
  private isClosed = false;

  constructor(private readonly session: DatabaseSession) {}

  /** A call that changes nothing. Its caller may leave in the middle. */
  async look<Row extends QueryResultRow>(signal: AbortSignal, statement: Statement, values: Values): Promise<readonly Row[]> {
    const work: Work<readonly Row[]> = async (tenure) => (await tenure.query<Row>(statement, values)).rows;
    return within(
      signal,
      this.begin(signal, () => this.again(signal, work, true)),
    );
  }

  /** A change that comes to the same however often it is made. Returns its row. */
  async change<Row extends ChangeRow>(signal: AbortSignal, statement: Statement, values: Values): Promise<Row> {
    return this.changing(signal, async (tenure, slot) => {
      const row = await queryIn<Row>(tenure, slot, statement, values);
      if (!row.made) throw fenced(tenure);
      return row;
    });
  }

  /** As {@link change}, for what takes more than one statement. */
  async changing<Result>(signal: AbortSignal, work: Work<Result>): Promise<Result> {
    return this.begin(signal, () => this.again(signal, work));
  }

  /** A change of a file: made once, or not at all. From the moment at which it is sent its caller waits for what becomes of it. */
  async once<Result>(signal: AbortSignal, change: FileChange<Result>): Promise<Result> {
    return this.begin(signal, () => this.makeOnce(signal, change));
  }

  /** @throws the signal's reason, or DomainError `index-unavailable` while the index is not held, or when it is closed */
  requireOpen(signal: AbortSignal): Tenure {
    signal.throwIfAborted();
    if (this.isClosed) throw closedError();
    return this.session.tenure;
  }

  /** See DatabaseSession. */
  connectApart(): Promise<Client> {
    return this.session.connectApart();
  }

  /** @throws DomainError `index-unavailable` as long as something may yet be made of which nobody was told what became of it */
  requireSettled(): void {
    if (this.session.tenure.slots.some(({ isDoubtful }) => isDoubtful))
      throw new DomainError('index-unavailable', 'it is not known yet what became of changes before');
  }

  /** Nothing is begun any more; resolves when nothing is under way. */
  async close(): Promise<void> {
    this.isClosed = true;
    while (this.underWay.size > 0) await Promise.allSettled(this.underWay);
    await this.session.close();
  }

  private async begin<Result>(signal: AbortSignal, call: () => Promise<Result>): Promise<Result> {
    this.requireOpen(signal);
    const running = call();
    this.underWay.add(running);
    try {
      return await running;
    } finally {
      this.underWay.delete(running);
    }
  }

  private async again<Result>(signal: AbortSignal, work: Work<Result>, isLook = false): Promise<Result> {
    const deadline = performance.now() + OUTCOME_MS_MAX;
    let tenure = this.session.tenure;
    for (let attempt = 1; ; attempt += 1) {
      const slot = await tenure.lease(signal, isLook);
      let failure: unknown;
      let isLost = false;
      try {
        return await work(tenure, slot);
      } catch (error) {
        failure = error;
        isLost = faultOf(error) === 'lost';
        if (isLost && !isLook) slot.isDoubtful = true;
      } finally {
        tenure.release(slot);
      }
      if (isLost && !isLook) void this.settle(tenure, slot);
      if (performance.now() > deadline) throw toCallerError(failure);
      tenure = await this.afterFault(failure, attempt, tenure);
    }
  }

  /** The tenure in which a call is made again. @throws what the caller is told if it is not */
  private async afterFault(error: unknown, attempt: number, tenure: Tenure): Promise<Tenure> {
    const fault = faultOf(error);
    if (fault === 'refused' || attempt >= ATTEMPTS) throw toCallerError(error);
    if (fault === 'lost') return this.session.after(tenure, RESUME_MS_MAX);
    await pause(Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** attempt) * Math.random());
    return tenure;
  }

  private async makeOnce<Result>(signal: AbortSignal, change: FileChange<Result>): Promise<Result> {
    let tenure = this.session.tenure;
    for (let attempt = 1; ; attempt += 1) {
      const slot = await tenure.lease(signal);
      let failure: unknown;
      let isDoubtful = false;
      try {
        return await attemptIn(tenure, slot, change);
      } catch (error) {
        failure = error;
        isDoubtful = slot.isDoubtful;
      } finally {
        tenure.release(slot);
      }
      if (!isDoubtful) {
        tenure = await this.afterFault(failure, attempt, tenure);
        continue;
      }
      const outcome = await this.outcomeOf(tenure, slot, { revision: change.revision, cause: failure });
      if (outcome.row.change === change.revision) return change.recall(outcome.row.before);
      if (attempt >= ATTEMPTS) throw toCallerError(failure);
      tenure = outcome.tenure;
    }
  }

  /** @throws OutcomeUnknownError if it cannot be known in time */
  private async outcomeOf(
    tenure: Tenure,
    slot: Slot,
    { revision, cause }: { readonly revision: number; readonly cause: unknown },
  ): Promise<Outcome> {
    const outcome = this.settle(tenure, slot);
    try {
      return await within(AbortSignal.timeout(OUTCOME_MS_MAX), outcome);
    } catch {
      throw new OutcomeUnknownError(
        outcome.then(({ row }) => row.change === revision),
        cause,
      );
    }
  }

  /** Finds out what a doubtful slot made last, however long that takes: nothing is changed through it before. Never rejects. */
  private async settle(held: Tenure, slot: Slot): Promise<Outcome> {
    for (let wait = SETTLE_MS_MIN; await held.isHeld(); wait = Math.min(2 * wait, SETTLE_MS_MAX)) {
      try {
        const row = await held.settle(slot);
        if (row !== undefined) return { tenure: held, row };
        held.end(new FencedError());
      } catch {
        // It is under way yet, or the database cannot tell now.
        await pause(wait, undefined, { ref: false });
      }
    }
    const tenure = await held.next;
    const row = tenure.found.get(slot.number);
    assert(row !== undefined, 'no slot is ever removed');
    return { tenure, row };
  }
}

async function attemptIn<Result>(tenure: Tenure, slot: Slot, change: FileChange<Result>): Promise<Result> {
  const { statement, values, revision, decode } = change;
  slot.pending = revision;
  let row: ChangeRow;
  try {
    row = await queryIn<ChangeRow>(tenure, slot, statement, values);
  } catch (error) {
    // An error of any other kind says that it was not made.
    if (faultOf(error) === 'lost') slot.isDoubtful = true;
    else slot.pending = 0;
    throw error;
  }
  slot.pending = 0;
  if (row.made) slot.acknowledged = revision;
  else await requireHeld(tenure, slot);
  return decode(row);
}

/**
 * What was not made because another gateway is at work is no refusal. This has to be seen by a statement that begins later: one that waited
 * for the slot reads all else as it was before it waited. Tokens only grow, so the same one now was the same one then.
 */
async function requireHeld(tenure: Tenure, slot: Slot): Promise<void> {
  const { made: isOurs } = await queryIn<ChangeRow>(tenure, slot, CHECK_TOKEN, {});
  if (!isOurs) throw fenced(tenure);
}

async function queryIn<Row extends ChangeRow>(tenure: Tenure, slot: Slot, statement: Statement, values: Values): Promise<Row> {
  const { rows } = await tenure.query<Row>(statement, { ...values, slot: slot.number, token: slot.token });
  return rows[0] as Row;
}

function fenced(tenure: Tenure): FencedError {
  const error = new FencedError();
  tenure.end(error);
  return error;
}
