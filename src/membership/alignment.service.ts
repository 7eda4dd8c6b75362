import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import type { VersionId } from '../common/ids.js';
import { mapOrdered } from '../common/map-ordered.js';
import type { MetadataStore, StoredFile } from '../metadata/metadata-store.js';
import { CollectorService } from '../redundancy/collector.service.js';
import { MoverService } from '../redundancy/repair/mover.service.js';
import { type Amiss, amissOf, type Target } from './amiss.js';
import { bytesOf, takeCensus, type Census } from './census.js';
import { Membership } from './membership.js';
import { VersionAligner } from './version-aligner.js';
import { WorkProgress } from './work-progress.js';

/** Files that are worked on at once. */
const WIDTH = 4;
/** The longest pause after walks that failed, in pauses of the timer. */
const PAUSES_MAX = 12;

interface AmissFile {
  readonly stored: StoredFile;
  readonly amiss: Amiss;
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
  private running: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** True while something may be left to do. */
  private isDue = true;
  /** Versions that were written when the last change came: they may still be committed as it was before. */
  private elders: readonly VersionId[] = [];
  /** Walks in a row that failed, and how many turns of the timer the next one waits for that. */
  private failures = 0;
  private pauses = 0;

  constructor(
    mover: MoverService,
    private readonly collector: CollectorService,
    private readonly membership: Membership,
  ) {
    this.aligner = new VersionAligner(mover.mover, collector);
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
    this.running = this.work(signal)
      .catch((error: unknown) => {
        this.isDue = true;
        if (!signal.aborted) this.logger.error({ err: error }, 'files could not be brought to their places; it is tried again');
      })
      .finally(() => (this.running = undefined));
  }

  private async work(signal: AbortSignal): Promise<void> {
    for (let goesOn = true; goesOn;) {
      this.isDue = false;
      this.elders = this.elders.filter((versionId) => this.collector.holds.isHeld(versionId));
      const isSettled = this.elders.length === 0;
      const restoring = this.membership.losses;
      const census = await this.census(signal);
      const { done, failed } = await this.walk(census, signal);
      if (isSettled && failed === 0) this.noteRestored(restoring);
      const areEmpty = done > 0 || (await this.finishDrains(census, isSettled, signal));
      if (failed > 0 || !isSettled || !areEmpty) this.isDue = true;
      this.failures = failed > 0 ? this.failures + 1 : 0;
      this.pauses = Math.min(PAUSES_MAX, this.failures);
      // What was moved is counted once more: until nothing is left, and nothing came to it.
      goesOn = failed === 0 && (done > 0 || (this.isDue && isSettled && areEmpty));
    }
  }

  private async walk(census: Census, signal: AbortSignal): Promise<{ readonly done: number; readonly failed: number }> {
    const { view } = this.membership;
    const progress = new WorkProgress(census);
    let [done, failed] = [0, 0];
    const note = (): void => {
      const { files, bytes, etaSeconds } = progress;
      view.alignment = files + failed === 0 ? undefined : { files, bytes, etaSeconds, failed };
      for (const node of this.membership.draining) this.noteDrain(node, census, etaSeconds);
    };
    note();
    const aligned = mapOrdered(this.files(signal), WIDTH, (file) => this.alignFile(file, signal));
    for await (const { bytes, isDone } of aligned) {
      if (isDone) progress.done(bytes);
      if (isDone) done += 1;
      else failed += 1;
      note();
    }
    for await (const tombstone of this.metadata.tombstones(signal)) {
      const outcome = await this.attempt(signal, () =>
        this.aligner.alignTombstone(tombstone, this.membership.target, signal).then((hasMoved) => hasMoved || undefined),
      );
      if (outcome === false) failed += 1;
      if (outcome === true) done += 1;
    }
    note();
    return { done, failed };
  }

  private async *files(signal: AbortSignal): AsyncGenerator<AmissFile, void, undefined> {
    for await (const stored of this.metadata.files(signal)) {
      const amiss = amissOf(stored.manifest, this.membership.target);
      if (amiss !== undefined) yield { stored, amiss };
    }
  }

  private async alignFile(
    { stored, amiss }: AmissFile,
    signal: AbortSignal,
  ): Promise<{ readonly bytes: number; readonly isDone: boolean }> {
    const isDone = await this.attempt(signal, () => this.aligner.align(stored, amiss, this.membership.target, signal));
    return { bytes: bytesOf(stored.manifest), isDone: isDone === true };
  }

  /** False for what fails: it must not keep other files from their places. */
  private async attempt<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result | false> {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      this.logger.warn({ err: error }, 'a file could not be brought to its place; it is tried again');
      return false;
    }
  }

  /** @param losses by node; one that was replaced once more since is not through */
  private noteRestored(losses: ReadonlyMap<number, number>): void {
    for (const [number, lostBefore] of losses) {
      if (this.membership.losses.get(number) !== lostBefore) continue;
      this.membership.cluster.changeNode(number, ({ lostBefore: _, ...node }) => node);
      this.logger.log({ node: number }, 'what a node with a new disk had lost is restored');
    }
  }

  /** Looks whether nodes that drain are empty by now; false if one is not. */
  private async finishDrains(census: Census, isSettled: boolean, signal: AbortSignal): Promise<boolean> {
    const { draining, registry, view } = this.membership;
    for (const node of view.drains.keys()) if (!draining.includes(node)) view.drains.delete(node);
    let areEmpty = true;
    for (const node of draining) {
      const isUnused = isSettled && !census.records.has(node) && !census.shards.has(node);
      // Of a node that cannot be reached nothing more can be deleted, and nothing is needed.
      const isEmpty =
        isUnused &&
        (!registry.reachable().includes(node) || (await this.attempt(signal, () => this.collector.clear(node, signal))) === 0);
      const wasDone = view.drains.get(node)?.isDone;
      view.drains.set(node, { records: census.records.get(node) ?? 0, etaSeconds: isEmpty ? 0 : undefined, isDone: isEmpty });
      if (isEmpty && wasDone !== true) this.logger.log({ node }, 'a node is drained: nothing is left on it');
      areEmpty &&= isEmpty;
    }
    return areEmpty;
  }

  private noteDrain(node: number, census: Census, etaSeconds: number | undefined): void {
    const { drains } = this.membership.view;
    const records = census.records.get(node) ?? 0;
    const isDone = records === 0 && !census.shards.has(node) && drains.get(node)?.isDone === true;
    drains.set(node, { records, etaSeconds: isDone ? 0 : etaSeconds, isDone });
  }
}
