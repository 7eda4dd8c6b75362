import type { FileId, VersionId } from '../../common/ids.js';
import { mapOrdered } from '../../common/map-ordered.js';
import { holding, OutcomeUnknownError } from '../../common/outcome-unknown-error.js';
import type { LayoutPage, Manifest, MetadataStore, StoredFile } from '../../metadata/metadata-store.js';
import { NodeError, type ShardId } from '../../nodes/storage-node.js';
import { encodeLayout, layoutPages, LayoutView, STRIPES_PER_PAGE } from '../layout.js';
import type { RecordStore } from '../record-store.js';
import type { VersionHolds } from '../version-holds.js';
import type { Stray } from '../write-ledger.js';
import type { MoveCommitter } from './move-committer.js';
import { type MovePolicy, planStripe, type ShardPlace } from './move-plan.js';
import { MoveStep, type StripeMove } from './move-step.js';
import { shardBytes } from '../shard-bytes.js';
import type { ShardCopier } from './shard-copier.js';

/** Resolves when so many bytes may be copied; the result is to be called when that has ended. */
export type EnterCopy = (bytes: number, signal: AbortSignal) => Promise<() => void>;

export interface MoverParts {
  readonly records: RecordStore;
  readonly holds: VersionHolds;
  readonly copier: ShardCopier;
  readonly committer: MoveCommitter;
  /** Told what may lie on nodes without belonging there. */
  readonly onStrays: (strays: readonly Stray[]) => void;
  readonly enter: EnterCopy;
  /** About how many bytes of data are copied at once. */
  readonly batchBytes: number;
  /** About how many bytes are copied before the index is told: as much may have to be copied again after a crash. */
  readonly stepBytes: number;
}

/** What came of the move of a version. */
export interface MoveReport {
  readonly fileId: FileId | undefined;
  /** Shards written and their bytes. */
  shards: number;
  bytes: number;
  /** Shards that stay where they are for want of a node that could take them. */
  unplaced: number;
  /** Stripes of which too little can be read now. */
  unread: number;
  /** False if the version is no longer, or not any more, the current one of a file. */
  isCurrent: boolean;
}

/** Batches that are copied at once: one is read while another one is written. */
const WIDTH = 2;

/** A batch may be so much longer, if that spares the short end of a version one of its own. */
const BATCH_SLACK = 17 / 16;

/** Where a step begins, and of which page. */
interface PageState {
  readonly page: number;
  readonly view: LayoutView;
  readonly rows: (readonly number[])[];
}

/**
 * Moves single shards of a committed version: copies them, makes the new places known on the nodes and then in the index, and deletes what
 * lies where it is not needed any more. Repair, drain, rebalance and a change of R are policies for it. Crashing at any point loses nothing: until
 * the commit the old places count and are left alone, from then on the new ones.
 */
export class VersionMover {
  constructor(private readonly parts: MoverParts) {}

  /** Does what a policy wants of one version. Ends early, and says so, if the version is replaced or removed meanwhile. */
  async move(versionId: VersionId, policy: MovePolicy, signal: AbortSignal): Promise<MoveReport> {
    const release = await this.parts.holds.claim(versionId);
    return holding(async () => {
      const stored = await this.metadata.findByVersion(versionId, signal);
      const report = { fileId: stored?.file.id, shards: 0, bytes: 0, unplaced: 0, unread: 0, isCurrent: stored !== undefined };
      if (stored !== undefined) await this.moveVersion(stored, policy, { report, signal });
      return report;
    }, release);
  }

  private get metadata(): MetadataStore {
    return this.parts.records.parts.metadata;
  }

  private async moveVersion(
    { file, manifest }: StoredFile,
    policy: MovePolicy,
    { report, signal }: { readonly report: MoveReport; readonly signal: AbortSignal },
  ): Promise<void> {
    for (let page = 0; page < layoutPages(manifest) && report.isCurrent; page += 1) {
      const bytes = await this.metadata.readLayout(manifest.versionId, page, signal);
      if (bytes === undefined) continue; // an index that has lost a page cannot say what lies where
      const view = new LayoutView(bytes);
      const rows = Array.from({ length: view.stripes }, (_, stripe) => view.nodes(stripe));
      await this.movePage({ file, manifest }, { policy, state: { page, view, rows } }, { report, signal });
    }
    // By now all pages have the new width, unless something was in the way.
    const isDone = report.isCurrent && report.unplaced + report.unread === 0;
    if (isDone) report.isCurrent = await this.parts.committer.finish({ file, manifest }, policy, signal);
  }

  /** One page, in as many steps as its bytes need; in one, if its rows become longer or shorter, which all rows of a page do at once. */
  private async movePage(
    { manifest }: StoredFile,
    { policy, state }: { readonly policy: MovePolicy; readonly state: PageState },
    { report, signal }: { readonly report: MoveReport; readonly signal: AbortSignal },
  ): Promise<void> {
    const { k, m } = state.view.shape;
    const isReshaped = policy.m !== undefined && policy.m !== m;
    const stepBytes = isReshaped ? Infinity : this.parts.stepBytes;
    for (let from = 0; from < state.rows.length && report.isCurrent;) {
      const step = this.step(manifest, policy);
      try {
        from = await this.copyStep(manifest, { policy, state, step, from, stepBytes }, signal);
        report.unplaced += step.unplaced;
        report.unread += step.unread;
        // Before a copy is dropped all that stay have to be there, also those that are written anew.
        if (isReshaped && (!step.isWhole || step.unplaced + step.unread > 0)) {
          this.parts.onStrays(step.undone());
          return;
        }
        const page = this.pageAfter(state, step, { k, m: policy.m ?? m });
        if (page === undefined) this.parts.onStrays(step.undone());
        else report.isCurrent = await this.commit(manifest, { policy, step, page }, signal);
      } catch (error) {
        this.failed(step, error);
        throw error;
      }
      report.shards += step.shards;
      report.bytes += step.bytes;
    }
  }

  private failed(step: MoveStep, error: unknown): void {
    if (!(error instanceof OutcomeUnknownError)) this.parts.onStrays(step.undone());
    else void error.isMade.then((isMade) => this.parts.onStrays(isMade ? step.committed() : step.undone()));
  }

  private step(manifest: Manifest, { mayTake }: MovePolicy): MoveStep {
    const { registry, placement } = this.parts.records.parts;
    const candidates = (from: number | undefined): readonly number[] => {
      const writable = registry.writable();
      return mayTake === undefined ? writable : writable.filter((node) => mayTake(node, from));
    };
    return new MoveStep({ placement, manifest, candidates });
  }

  /** Copies stripes until a step is full. Returns where the next one begins. */
  private async copyStep(
    manifest: Manifest,
    options: {
      readonly policy: MovePolicy;
      readonly state: PageState;
      readonly step: MoveStep;
      readonly from: number;
      readonly stepBytes: number;
    },
    signal: AbortSignal,
  ): Promise<number> {
    const { policy, state, step, stepBytes } = options;
    const cursor = { next: options.from };
    const batches = this.batches(manifest, { policy, state, step, cursor, stepBytes });
    const copies = mapOrdered(batches, WIDTH, async (moves) => {
      const bytes = moves.reduce(
        (sum, { stripe, writes }) => sum + writes.length * shardBytes(manifest, { stripe, index: 0 }),
        0,
      );
      if (bytes === 0) return;
      const leave = await this.parts.enter(bytes, signal);
      try {
        await this.parts.copier.copy(manifest, { moves, step }, signal);
      } finally {
        leave();
      }
    });
    await Array.fromAsync(copies);
    return cursor.next;
  }

  private *batches(
    manifest: Manifest,
    {
      policy,
      state,
      step,
      cursor,
      stepBytes,
    }: {
      readonly policy: MovePolicy;
      readonly state: PageState;
      readonly step: MoveStep;
      readonly cursor: { next: number };
      readonly stepBytes: number;
    },
  ): Generator<readonly StripeMove[], void, undefined> {
    const first = state.page * STRIPES_PER_PAGE;
    let batch: StripeMove[] = [];
    let [batchBytes, bytes] = [0, 0];
    while (cursor.next < state.rows.length && bytes < stepBytes) {
      const inPage = cursor.next++;
      const stripe = first + inPage;
      const nodes = state.rows[inPage] as readonly number[];
      const plan = planStripe({ stripe, nodes, k: manifest.k }, policy);
      if (plan === undefined) continue;
      const move = step.begin(nodes, plan);
      const one = shardBytes(manifest, { stripe, index: 0 });
      // All data of a stripe is read for its first shard, and is in memory until the last one is written.
      const moveBytes = Math.max(move.writes.length, manifest.k) * one;
      if (batchBytes > 0 && batchBytes + moveBytes > BATCH_SLACK * this.parts.batchBytes) {
        yield batch;
        [batch, batchBytes] = [[], 0];
      }
      batch.push(move);
      batchBytes += moveBytes;
      bytes += move.writes.length * one;
    }
    if (batch.length > 0) yield batch;
  }

  /** The page with the rows that the step has changed; undefined if it has changed none. */
  private pageAfter(
    { page, rows }: PageState,
    step: MoveStep,
    shape: { readonly k: number; readonly m: number },
  ): LayoutPage | undefined {
    let hasChanged = false;
    for (const move of step.moves) {
      const row = MoveStep.rowOf(move);
      hasChanged ||= row.length !== move.nodes.length || row.some((node, index) => node !== move.nodes[index]);
      rows[move.stripe - page * STRIPES_PER_PAGE] = row;
    }
    return hasChanged ? { page, bytes: encodeLayout(rows, shape) } : undefined;
  }

  /** False if the version is not the current one any more. */
  private async commit(
    manifest: Manifest,
    { policy, step, page }: { readonly policy: MovePolicy; readonly step: MoveStep; readonly page: LayoutPage },
    signal: AbortSignal,
  ): Promise<boolean> {
    const isCommitted = await this.parts.committer.commit(
      manifest,
      { policy, page, usage: (before) => step.usage(before) },
      signal,
    );
    if (!isCommitted) {
      this.parts.onStrays(step.undone());
      return false;
    }
    this.parts.onStrays(step.committed());
    await this.deleteLeft(manifest.versionId, [...step.left()], signal);
    return true;
  }

  /** On nodes that cannot be reached it is done by the walk over them, when they return. */
  private async deleteLeft(versionId: VersionId, places: readonly ShardPlace[], signal: AbortSignal): Promise<void> {
    const { registry } = this.parts.records.parts;
    const reachable = registry.reachable();
    const groups = [...Map.groupBy(places, ({ node }) => node)].filter(([node]) => reachable.includes(node));
    await Promise.all(
      groups.map(async ([number, group]) => {
        const ids: ShardId[] = group.map(({ stripe, index }) => ({ versionId, stripe, index }));
        try {
          await registry.call(number, (node) => node.delete(ids, signal));
        } catch (error) {
          if (!(error instanceof NodeError)) throw error;
          this.parts.onStrays(ids.map((shard) => ({ node: number, shard })));
        }
      }),
    );
  }
}
