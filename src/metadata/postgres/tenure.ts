import type { Client, Pool, PoolClient, QueryResult, QueryResultRow } from 'pg';
import { DomainError } from '../../common/errors.js';
import { within } from '../../common/within.js';
import { endInTime } from './database-connection.js';
import { bind, statement, type Statement, type Values } from './statement.js';

/** A place for one call at a time; a row of the database stands for it. */
export interface Slot {
  readonly number: number;
  /** What the row has to have, or another gateway is at work by now. */
  token: number;
  /** The last change of a file that went through it and was answered. */
  acknowledged: number;
  /** The one that is on its way, or of which it is not known whether it was made; 0: none. */
  pending: number;
  /** Whether the answer of what went through it was lost. Until it has been settled nothing is changed through it. */
  isDoubtful: boolean;
}

/** The row of a slot: which change it made last, and the file as it was before that. */
export interface SlotRow {
  readonly slot: number;
  readonly token: number;
  readonly change: number;
  readonly before: unknown;
}

/**
 * Takes the slots over: it waits for what is under way in them, and whatever comes later with an older token does nothing. So after it, it is
 * certain what was made. The first token is of the clock: where an index is made anew in the place of another, none comes again.
 */
const TAKE_SLOTS = statement(
  'take_slots',
  `INSERT INTO slots (slot, token) SELECT s, extract(epoch FROM clock_timestamp()) * 1000 FROM generate_series(0, :last::int) AS s
   ON CONFLICT (slot) DO UPDATE SET token = slots.token + 1`,
);
/** Of a gateway that had more of them. */
const TAKE_OTHERS = statement('take_others', `UPDATE slots SET token = token + 1 WHERE slot > :last::int`);
const READ_SLOTS = statement('read_slots', `SELECT slot, token, change, before FROM slots ORDER BY slot`);
const TAKE_SLOT = statement(
  'take_slot',
  `WITH held AS (SELECT slot FROM slots WHERE slot = :slot::int AND token = :token::bigint FOR UPDATE NOWAIT)
   UPDATE slots SET token = token + 1 FROM held WHERE slots.slot = held.slot RETURNING slots.slot, token, change, before`,
);
const PING_MS_MAX = 2000;
/** How long a call waits for a slot. */
const LEASE_MS_MAX = 15_000;

export async function takeSlots(client: Client, count: number): Promise<readonly SlotRow[]> {
  const last = count - 1;
  await client.query('BEGIN');
  await client.query(bind(TAKE_SLOTS, { last }));
  await client.query(bind(TAKE_OTHERS, { last }));
  const { rows } = await client.query<SlotRow>(bind(READ_SLOTS, {}));
  await client.query('COMMIT');
  return rows;
}

interface Waiter {
  readonly isLook: boolean;
  readonly resolve: (slot: Slot) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The time for which this process holds the index on one host: from the taking of the lock to the end of its connection. At most so many
 * calls are under way as there are slots; others wait, first come first served.
 */
export class Tenure {
  private readonly free: Slot[];
  private readonly waiters = new Set<Waiter>();
  private readonly gone = Promise.withResolvers<undefined>();
  private readonly successor = Promise.withResolvers<Tenure>();
  private cause: Error | undefined;
  private pinging: Promise<void> | undefined;

  constructor(
    readonly lock: Client,
    private readonly pool: Pool,
    /** The slots as they were when it began. */
    readonly found: ReadonlyMap<number, SlotRow>,
    readonly slots: readonly Slot[],
  ) {
    this.free = slots.toReversed();
  }

  get isOver(): boolean {
    return this.cause !== undefined;
  }

  /** Why it is over. */
  get reason(): Error | undefined {
    return this.cause;
  }

  /** Resolves when it is over. */
  get over(): Promise<undefined> {
    return this.gone.promise;
  }

  /** Resolves with the one behind it. */
  get next(): Promise<Tenure> {
    return this.successor.promise;
  }

  hasNext(tenure: Tenure): void {
    this.successor.resolve(tenure);
  }

  end(cause: Error): void {
    if (this.cause !== undefined) return;
    this.cause = cause;
    for (const { reject } of this.waiters) reject(unavailable(cause));
    this.waiters.clear();
    this.gone.resolve(undefined);
    // What its statements come to is told to those who wait for them; a server that is gone hears no farewell.
    void this.endConnections();
  }

  /** Ends it in good order. */
  async close(): Promise<void> {
    if (this.cause !== undefined) return;
    this.cause = new Error('the index is closed');
    this.gone.resolve(undefined);
    await this.endConnections();
  }

  private async endConnections(): Promise<void> {
    await Promise.all([endInTime(this.pool), endInTime(this.lock)]);
  }

  /**
   * @param isLook whether it is for what changes nothing, to which it is all the same if the slot is doubtful
   * @throws the signal's reason, or DomainError `index-unavailable` when it is over, or when no slot comes free in time
   */
  async lease(signal: AbortSignal, isLook = false): Promise<Slot> {
    signal.throwIfAborted();
    if (this.cause !== undefined) throw unavailable(this.cause);
    const at = this.free.findLastIndex(({ isDoubtful }) => isLook || !isDoubtful);
    const [slot] = at < 0 ? [] : this.free.splice(at, 1);
    if (slot !== undefined) return slot;
    const { promise, resolve, reject } = Promise.withResolvers<Slot>();
    const waiter = { isLook, resolve, reject };
    this.waiters.add(waiter);
    try {
      return await within(AbortSignal.any([signal, AbortSignal.timeout(LEASE_MS_MAX)]), promise);
    } catch (error) {
      // It may have been given one in the same moment.
      if (!this.waiters.delete(waiter)) promise.then((late) => this.release(late)).catch(() => undefined);
      signal.throwIfAborted();
      throw toUnavailable(error);
    }
  }

  release(slot: Slot): void {
    const next = [...this.waiters].find(({ isLook }) => isLook || !slot.isDoubtful);
    if (next === undefined) {
      this.free.push(slot);
      return;
    }
    this.waiters.delete(next);
    next.resolve(slot);
  }

  /** Puts a slot into use again of which it is known what it made. */
  private clear(slot: Slot, { token, change }: SlotRow): void {
    slot.token = token;
    slot.acknowledged = change;
    slot.pending = 0;
    slot.isDoubtful = false;
    const at = this.free.indexOf(slot);
    // If it is not there a look has it, and brings it back.
    if (at >= 0) this.free.splice(at, 1).forEach((one) => this.release(one));
  }

  async query<Row extends QueryResultRow>(one: Statement, values: Values): Promise<QueryResult<Row>> {
    return this.pool.query<Row>(bind(one, values));
  }

  /** Runs several statements as one transaction. */
  async transaction<Result>(work: (client: PoolClient) => Promise<Result>): Promise<Result> {
    const client = await this.pool.connect();
    let failure: unknown;
    try {
      await client.query('BEGIN');
      const result = await work(client);
      await client.query('COMMIT');
      return result;
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      // With its connection the transaction goes too.
      client.release(failure !== undefined);
    }
  }

  /**
   * What a doubtful slot made last, for certain: what was under way in it ended or never will be. Then it is in use again.
   * @returns undefined if another gateway has taken it
   * @throws also while something is under way in it
   */
  async settle(slot: Slot): Promise<SlotRow | undefined> {
    const { rows } = await this.query<SlotRow & QueryResultRow>(TAKE_SLOT, { slot: slot.number, token: slot.token });
    const [row] = rows;
    if (row !== undefined) this.clear(slot, row);
    return row;
  }

  /**
   * Whether the database still has all that it acknowledged in a tenure before: the last change of each slot. A standby that took over may
   * not have been told of all of it.
   * @throws DomainError `index-behind`
   */
  requireAfter(before: Tenure): void {
    for (const { number, acknowledged, pending } of before.slots) {
      const change = this.found.get(number)?.change;
      if (change === acknowledged || (pending !== 0 && change === pending)) continue;
      throw new DomainError(
        'index-behind',
        'the database has lost changes that it had acknowledged: "dcloud rebuild-index" makes the index anew from the nodes',
      );
    }
  }

  /** Whether the lock's connection still answers; if not, this ends the tenure. */
  async isHeld(): Promise<boolean> {
    if (this.isOver) return false;
    this.pinging ??= this.ping().finally(() => (this.pinging = undefined));
    await this.pinging;
    return !this.isOver;
  }

  private async ping(): Promise<void> {
    try {
      await within(AbortSignal.timeout(PING_MS_MAX), this.lock.query('SELECT 1'));
    } catch (error) {
      this.end(error as Error);
    }
  }
}

/** Of a time that is up. */
function toUnavailable(error: unknown): DomainError {
  return error instanceof DomainError ? error : unavailable(error);
}

export function unavailable(cause: unknown): DomainError {
  return new DomainError('index-unavailable', 'the database of the index cannot be reached now', { cause });
}
