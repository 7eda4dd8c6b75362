import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import type { VersionId } from '../common/ids.js';
import { mapOrdered } from '../common/map-ordered.js';
import type { MetadataStore, StoredFile, Tombstone } from '../metadata/metadata-store.js';
import { inBackground } from '../nodes/background-work.js';
import { CollectorService } from '../redundancy/collector.service.js';
import { MoverService } from '../redundancy/repair/mover.service.js';
import { type Amiss, amissOf, type Target } from './amiss.js';
import { bytesOf, takeCensus, type Census } from './census.js';
import { DrainWatch } from './drain-watch.js';
import { Membership } from './membership.js';
import { StuckList } from './stuck-list.js';
import { type Alignment, VersionAligner } from './version-aligner.js';
import { WorkProgress } from './work-progress.js';

/** Files that are worked on at once. */
const WIDTH = 4;
/** The longest pause after walks that failed, in pauses of the timer. */
const PAUSES_MAX = 12;

interface AmissFile {
  readonly stored: StoredFile;
  readonly amiss: Amiss;
}

/** What became of the files and tombstones of one walk. */
type Outcomes = Record<Alignment, number>;

interface Aligned {
  readonly stored: StoredFile;
  readonly outcome: Alignment;
}

/**
 * Brings what is stored to where the cluster map and the configuration want it: away from nodes that leave, back onto a node with a new disk, and
 * onto as many nodes as `redundancy_count` says. Nothing of that needs a journal: the index and the map tell at any time what is left to do.
 */
@Injectable()
export class AlignmentService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(AlignmentService.name);
  private readonly stopping = new AbortController();
  private readonly aligner: VersionAligner;
  private readonly drains: DrainWatch;
  private running: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** True while something may be left to do. */
  private isDue = true;
  /** Versions that were written when the last change came: they may still be committed as it was before. */
  private elders: readonly VersionId[] = [];
  /** Walks in a row that failed, and how many turns of the timer the next one waits for that. */
  private failures = 0;
  private pauses = 0;
  private hasWarned = false;
  /** What the last walk found. */
  private stuck = new StuckList();

  constructor(
    mover: MoverService,
    private readonly collector: CollectorService,
    private readonly membership: Membership,
  ) {
    this.aligner = new VersionAligner(mover.mover, collector);
    this.drains = new DrainWatch(membership, collector);
  }

  onApplicationBootstrap(): void {
    const { collect_interval_ms: intervalMs } = this.membership.live.current.limits;
    this.timer = setInterval(() => this.tick(), intervalMs);
    this.run();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort();
    await this.running;
  }

  /** The map or the configuration is another one by now. */
  changed(): void {
    this.isDue = true;
    this.elders = this.collector.holds.held;
    [this.failures, this.pauses] = [0, 0];
    this.run();
  }

  /** What the index says at this moment of files that do not lie as they are to. @param other what is to be asked differently */
  census(signal: AbortSignal, other: Partial<Target> = {}): Promise<Census> {
    return takeCensus(this.metadata, { ...this.membership.target, ...other }, signal);
  }

  private get metadata(): MetadataStore {
    return this.collector.metadata;
  }

  private tick(): void {
    this.pauses -= 1;
    const isWaiting = this.failures === 0 && this.elders.some((versionId) => this.collector.holds.isHeld(versionId));
    if (this.isDue && this.pauses <= 0 && !isWaiting) this.run();
  }

  /** One at a time; who comes meanwhile has changed what the one under way looks at, and it goes round once more. */
  private run(): void {
    const { signal } = this.stopping;
    if (signal.aborted || this.running !== undefined) return;
    this.running = inBackground(() => this.work(signal))
      .catch((error: unknown) => {
        this.isDue = true;
        if (!signal.aborted) this.logger.error({ err: error }, 'files could not be brought to their places; it is tried again');
      })
      .finally(() => (this.running = undefined));
  }

  private async work(signal: AbortSignal): Promise<void> {
    do this.isDue = false;
    while (await this.round(signal));
  }

  /** One walk over everything; true if another one is to follow at once. */
  private async round(signal: AbortSignal): Promise<boolean> {
    this.elders = this.elders.filter((versionId) => this.collector.holds.isHeld(versionId));
    const isSettled = this.elders.length === 0;
    const { losses, cluster, live } = this.membership;
    const { redundancy } = live;
    // Before the first copy goes, nobody relies on it any more.
    if ((cluster.map.redundancy ?? 0) > redundancy) cluster.noteRedundancy(redundancy);
    const census = await this.census(signal);
    const { done, failed, misshapen, stuck } = await this.walk(census, signal);
    this.failures = failed + misshapen + stuck > 0 ? this.failures + 1 : 0;
    this.pauses = Math.min(PAUSES_MAX, this.failures);
    if (failed > 0 || !isSettled) {
      this.isDue = true;
      return failed === 0 && done > 0;
    }
    // A change that came meanwhile has elders of its own.
    if (this.isDue) return true;
    this.noteRestored(losses);
    // What was moved is counted once more: until nothing is left, and nothing came to it.
    if (done > 0) return true;
    const isAsWanted = misshapen + stuck === 0;
    if (isAsWanted) cluster.noteRedundancy(redundancy);
    if ((await this.drains.finish(census, signal)) && isAsWanted) return this.isDue;
    this.isDue = true;
    return false;
  }

  private async walk(census: Census, signal: AbortSignal): Promise<Outcomes> {
    const { view } = this.membership;
    const progress = new WorkProgress(census);
    const found = new StuckList();
    this.hasWarned = false;
    const outcomes: Outcomes = { done: 0, well: 0, failed: 0, misshapen: 0, stuck: 0 };
    const note = (stuck: StuckList): void => {
      const { files, bytes, etaSeconds } = progress;
      const failed = outcomes.failed + outcomes.misshapen + outcomes.stuck;
      view.alignment = files + failed === 0 ? undefined : { files, bytes, etaSeconds, failed, stuck: stuck.files };
      this.drains.note(census, etaSeconds, stuck);
    };
    note(this.stuck);
    const aligned = mapOrdered(this.files(signal), WIDTH, (file) => this.alignFile(file, signal));
    for await (const { stored, outcome } of aligned) {
      if (outcome === 'done' || outcome === 'well') progress.done(bytesOf(stored.manifest));
      if (outcome === 'stuck') found.add(stored);
      outcomes[outcome] += 1;
      note(this.stuck);
    }
    for await (const tombstone of this.metadata.tombstones(signal))
      outcomes[await this.attempt(signal, () => this.alignTombstone(tombstone, signal))] += 1;
    this.tell(found);
    note(found);
    return outcomes;
  }

  private async *files(signal: AbortSignal): AsyncGenerator<AmissFile, void, undefined> {
    for await (const stored of this.metadata.files(signal)) {
      const amiss = amissOf(stored.manifest, this.membership.target);
      if (amiss !== undefined) yield { stored, amiss };
    }
  }

  private async alignFile({ stored, amiss }: AmissFile, signal: AbortSignal): Promise<Aligned> {
    const outcome = await this.attempt(signal, () => this.aligner.align(stored, amiss, this.membership.target, signal));
    return { stored, outcome };
  }

  private tell(found: StuckList): void {
    const { files } = found;
    if (files !== undefined && files.fileId !== this.stuck.files?.fileId)
      this.logger.warn({ ...files }, 'files cannot be brought to their places, however often it is tried');
    this.stuck = found;
  }

  private async alignTombstone(tombstone: Tombstone, signal: AbortSignal): Promise<Alignment> {
    return this.aligner.alignTombstone(tombstone, this.membership.target, signal);
  }

  /** What fails must not keep other files from their places. */
  private async attempt(signal: AbortSignal, work: () => Promise<Alignment>): Promise<Alignment> {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      // Mostly all fail for one reason.
      if (!this.hasWarned) this.logger.warn({ err: error }, 'files could not be brought to their places; it is tried again');
      this.hasWarned = true;
      return 'failed';
    }
  }

  /** @param losses by node; one that was replaced once more since is not through */
  private noteRestored(losses: ReadonlyMap<number, number>): void {
    for (const [number, lostBefore] of losses) {
      if (this.membership.losses.get(number) !== lostBefore) continue;
      this.membership.cluster.changeNode(number, ({ lostBefore: _, ...node }) => node);
      this.membership.registry.losses.delete(number);
      this.logger.log({ node: number }, 'what a node with a new disk had lost is restored');
    }
  }
}
