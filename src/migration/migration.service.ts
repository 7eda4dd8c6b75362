import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { DomainError, type ErrorCode } from '../common/errors.js';
import { within } from '../common/within.js';
import { AppConfig } from '../config/app-config.js';
import { ClusterFile } from '../config/cluster-file.js';
import type { IndexPlace } from '../metadata/index-place.js';
import { IndexMove, type MoveProgress, type MoveResult } from '../metadata/moving/index-move.js';
import type { Engine } from '../metadata/moving/index-transit.js';
import { MovableMetadataStore } from '../metadata/moving/movable.metadata-store.js';
import { openTarget } from '../metadata/moving/open-movers.js';
import { indexPlaceIn, indexPlaceOf } from '../metadata/open-index-place.js';
import { RecordStore } from '../redundancy/record-store.js';
import type { MigrationOrder } from './migrate-at-rest.js';

export interface MigrationStatus {
  readonly state: 'none' | 'running' | 'done' | 'failed';
  readonly from: Engine | undefined;
  readonly to: Engine | undefined;
  readonly progress: MoveProgress | undefined;
  readonly result: MoveResult | undefined;
  readonly failure: { readonly code: ErrorCode; readonly detail: string } | undefined;
}

const NONE: MigrationStatus = {
  state: 'none',
  from: undefined,
  to: undefined,
  progress: undefined,
  result: undefined,
  failure: undefined,
};
/** What is under way when the index is to change no more is given so long to end. */
const HOLD_MS_MAX = 30_000;
/** And the old index to be closed, before a next move may begin. */
const CLOSE_MS_MAX = 10_000;

/**
 * Moves the index of the running server to another engine: everything can be read throughout, and be changed but for the end of it. Then the
 * server goes on with the new one (docs/adr/0022).
 */
@Injectable()
export class MigrationService implements OnApplicationShutdown {
  private readonly logger = new Logger(MigrationService.name);
  private readonly stopping = new AbortController();
  private place: IndexPlace;
  private running: Promise<void> | undefined;
  private current = NONE;
  /** Whether the index is held because it may be marked as moved. */
  private isInDoubt = false;

  constructor(
    private readonly config: AppConfig,
    private readonly cluster: ClusterFile,
    private readonly index: MovableMetadataStore,
    private readonly records: RecordStore,
  ) {
    this.place = indexPlaceOf(config, cluster);
  }

  get status(): MigrationStatus {
    return this.current;
  }

  /** Begins; what becomes of it, the status says. @throws DomainError `migration-refused` */
  start({ from, to, url }: MigrationOrder): void {
    if (this.running !== undefined || this.stopping.signal.aborted)
      throw new DomainError('migration-refused', 'the index is being moved already');
    if (from !== this.place.engine || to === from)
      throw new DomainError(
        'migration-refused',
        `the engine in use is "${this.place.engine}": it is moved from that one to the other`,
      );
    const target = indexPlaceIn(to, this.config, this.cluster, url);
    this.current = { ...NONE, state: 'running', from, to };
    this.running = this.run(target, this.stopping.signal)
      .then((result) => {
        this.current = { ...this.current, state: 'done', result };
        this.logger.warn({ from, to }, `the index was moved: set metadata.driver to "${to}" before the next start`);
      })
      .catch((error: unknown) => this.fail(error))
      .finally(() => (this.running = undefined));
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(place: IndexPlace, signal: AbortSignal): Promise<MoveResult> {
    const source = this.index.current;
    const target = await openTarget(this.place, place, await source.transfer.transit(signal));
    const move = new IndexMove({
      source,
      target,
      from: this.place.engine,
      to: place.engine,
      hold: (stop) => this.hold(stop),
      onProgress: (progress) => (this.current = { ...this.current, progress }),
    });
    let result: MoveResult;
    try {
      result = await move.run(signal);
    } catch (error) {
      this.isInDoubt ||= move.mayBeCommitted;
      if (!this.isInDoubt || (await this.isStillInCharge())) this.letGo();
      await target.close();
      throw error;
    }
    this.place = place;
    const closed = this.index.replaceBy(target);
    this.letGo();
    await this.ended(closed);
    return result;
  }

  /** Nothing depends on the old index any more: one that is not closed, or not in time, is no failure of the move. */
  private async ended(closed: Promise<void>): Promise<void> {
    try {
      await within(AbortSignal.timeout(CLOSE_MS_MAX), closed);
    } catch (error) {
      this.logger.error({ err: error }, 'the index was moved, and the old one could not be closed');
    }
  }

  /** Changes of files are let end as wholes, so that none leaves records on nodes that the index does not know. */
  private async hold(signal: AbortSignal): Promise<void> {
    await this.records.pause(AbortSignal.any([signal, AbortSignal.timeout(HOLD_MS_MAX)]));
    await this.index.hold();
  }

  private letGo(): void {
    this.isInDoubt = false;
    this.index.letGo();
    this.records.resume();
  }

  /** A mark of which it is not known what became of it may be seen later than this looks. */
  private async isStillInCharge(): Promise<boolean> {
    const { transfer } = this.index.current;
    try {
      await transfer.rest();
      return (await transfer.transit(new AbortController().signal)) === undefined;
    } catch {
      return false; // then nothing may be changed in it: a repeated command finds out
    }
  }

  private fail(error: unknown): void {
    this.logger.error({ err: error }, 'the index was not moved');
    const failure =
      error instanceof DomainError
        ? { code: error.code, detail: error.detail }
        : ({ code: 'migration-failed', detail: 'the server met an error that it does not know, and has it in its log' } as const);
    this.current = { ...this.current, state: 'failed', failure };
  }
}
