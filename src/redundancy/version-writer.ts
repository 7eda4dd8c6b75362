import type { VersionId } from '../common/ids.js';
import { mapOrdered } from '../common/map-ordered.js';
import type { GarbageVersion, LayoutPage, MetadataStore, NodeUsage } from '../metadata/metadata-store.js';
import type { Placement } from '../placement/placement.js';
import { LayoutBuilder } from './layout.js';
import { type StripeSource, stripeBatches } from './stripe-batches.js';
import type { StripeShape } from './stripe-codec.js';
import type { StripeStore } from './stripe-store.js';
import { type Stray, WriteLedger } from './write-ledger.js';

/** What a version's writer works with; one set for the whole process. */
export interface WriterParts {
  readonly stripes: StripeStore;
  readonly placement: Placement;
  readonly metadata: MetadataStore;
  /** Told, once the version's fate is known, what may lie on nodes without belonging there. */
  readonly onStrays: (strays: readonly Stray[]) => void;
  /** Told of a version that will never be committed. */
  readonly onGarbage: (garbage: GarbageVersion) => void;
}

/**
 * Writes the body of one version to the nodes and remembers where it lies, until the version is either committed or abandoned.
 * One object for one upload; not for use by several at once.
 */
export class VersionWriter {
  private readonly ledger = new WriteLedger();
  private readonly layout: LayoutBuilder;

  /** @param release lets go of the hold on the version */
  constructor(
    private readonly parts: WriterParts,
    private readonly source: StripeSource,
    private readonly release: () => void,
  ) {
    this.layout = new LayoutBuilder(source.shape);
  }

  get versionId(): VersionId {
    return this.source.versionId;
  }

  get shape(): StripeShape {
    return this.source.shape;
  }

  /**
   * Stores all slices; resolves when every shard of every stripe is durable on a node of its own.
   * @param width batches under way at once
   */
  async write(slices: AsyncIterable<Uint8Array>, width: number, signal: AbortSignal): Promise<void> {
    const puts = mapOrdered(stripeBatches(slices, this.source), width, async (batch) => {
      await this.parts.stripes.put(batch, this.ledger, signal);
      return batch.length;
    });
    for await (const stripes of puts) await this.settle(stripes, signal);
  }

  /** The page of the layout that is not staged yet: it goes into the commit. */
  lastPage(): LayoutPage {
    return this.layout.lastPage();
  }

  usage(): readonly NodeUsage[] {
    return this.ledger.usage();
  }

  /** The version was committed: only what failed nodes may still hold of it is to be cleaned up. */
  committed(): void {
    this.release();
    this.parts.onStrays(this.ledger.strays);
  }

  /** The version will never be committed: takes its shards back, on nodes that are down as well, when they return. */
  async abandon(signal: AbortSignal): Promise<void> {
    const { versionId } = this;
    const usage = this.usage();
    for (const { node, shards } of usage) this.parts.placement.release(node, shards);
    const nodes = usage.map(({ node }) => node);
    try {
      await this.settle(undefined, signal); // what was under way when the upload failed may have arrived
      if (nodes.length > 0) await this.parts.metadata.abandon({ versionId, nodes }, this.lastPage(), signal);
    } finally {
      this.release();
      this.parts.onStrays(this.ledger.strays);
    }
    if (nodes.length > 0) this.parts.onGarbage({ versionId, nodes, pages: this.lastPage().page + 1 });
  }

  /** Moves stripes from the ledger to the layout; undefined: all. */
  private async settle(stripes: number | undefined, signal: AbortSignal): Promise<void> {
    for (const row of this.ledger.take(stripes)) {
      const full = this.layout.add(row);
      if (full !== undefined) await this.parts.metadata.stageLayout(this.versionId, full, signal);
    }
  }
}
