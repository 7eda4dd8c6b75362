import { setTimeout as pause } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { Client } from 'pg';
import { errorCode } from '../../common/errors.js';
import { within } from '../../common/within.js';
import { closedError } from '../index-error.js';
import { TO_USE } from '../moving/index-transit.js';
import { beginTenure, connectApart, type TenureListener, type TenureOptions } from './begin-tenure.js';
import { messageOf } from './database-error.js';
import { unavailable, type Tenure } from './tenure.js';

const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 1000;

/** Holds the index from the opening to the closing, and takes it again whenever it was lost: another host may have it by then. */
export class DatabaseSession {
  private readonly logger = new Logger('Index');
  private readonly stopping = new AbortController();
  private regaining: Promise<void> = Promise.resolve();

  private constructor(
    private readonly options: TenureOptions,
    private held: Tenure,
    private readonly onBegin: TenureListener,
  ) {}

  /** @throws DomainError as {@link beginTenure} */
  static async open(options: TenureOptions, onBegin: TenureListener): Promise<DatabaseSession> {
    const tenure = await beginTenure(options, onBegin);
    // From now on nothing is new, and what is not there was lost. A move that is under way ends with the tenure.
    const session = new DatabaseSession({ ...options, mayCreate: false, isForced: false, purpose: TO_USE }, tenure, onBegin);
    session.watch(tenure);
    return session;
  }

  /** @throws DomainError `index-unavailable` while it is lost */
  get tenure(): Tenure {
    if (this.stopping.signal.aborted) throw closedError();
    if (this.held.isOver) throw unavailable(undefined);
    return this.held;
  }

  /**
   * The tenure to go on with after a call was lost: the same, if its lock still answers, or the next.
   * @throws DomainError `index-unavailable` if there is none in time
   */
  async after(lost: Tenure, msMax: number): Promise<Tenure> {
    if (await lost.isHeld()) return lost;
    try {
      return await within(AbortSignal.any([AbortSignal.timeout(msMax), this.stopping.signal]), lost.next);
    } catch (cause) {
      throw unavailable(cause);
    }
  }

  /**
   * A connection beside those of the tenure, for what takes long; whoever asks for it ends it. It is to the same host: another one that takes
   * changes may be behind. @throws DomainError as {@link beginTenure}
   */
  async connectApart(): Promise<Client> {
    const { host, port } = this.tenure.lock;
    return connectApart({ ...this.options, url: { ...this.options.url, hosts: [{ host, port }] } });
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await this.held.close();
    await this.regaining;
  }

  private watch(tenure: Tenure): void {
    void tenure.over.then(() => {
      if (!this.stopping.signal.aborted) this.regaining = this.regain(tenure);
    });
  }

  private async regain(lost: Tenure): Promise<void> {
    const since = performance.now();
    this.logger.error({ reason: messageOf(lost.reason) }, 'the database of the index was lost');
    for (let wait = RETRY_MS_MIN, told = ''; !this.stopping.signal.aborted; wait = Math.min(2 * wait, RETRY_MS_MAX)) {
      try {
        await this.begin(lost);
        this.logger.warn({ afterMs: Math.round(performance.now() - since) }, 'the database of the index is there again');
        return;
      } catch (error) {
        const reason = messageOf(error);
        if (reason !== told) this.logger.error({ reason }, 'the database of the index cannot be had yet');
        told = reason;
        if (errorCode(error) === 'index-behind') return;
      }
      await pause(wait * (0.5 + Math.random()), undefined, { signal: this.stopping.signal }).catch(() => undefined);
    }
  }

  private async begin(lost: Tenure): Promise<void> {
    const tenure = await beginTenure(this.options, async (begun) => {
      begun.requireAfter(lost);
      await this.onBegin(begun);
    });
    this.held = tenure;
    this.watch(tenure);
    lost.hasNext(tenure);
    if (this.stopping.signal.aborted) await tenure.close();
  }
}
