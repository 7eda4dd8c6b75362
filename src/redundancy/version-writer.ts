import { setImmediate as nextTurn } from 'node:timers/promises';
import type { VersionId } from '../common/ids.js';
import type { GarbageVersion, LayoutPage, MetadataStore, NodeUsage } from '../metadata/metadata-store.js';
import type { Placement } from '../placement/placement.js';
import { layoutRecords } from './layout-reader.js';
import { LayoutBuilder, singlePage } from './layout.js';
import type { NodeRecord, Shard } from '../nodes/storage-node.js';
import { putStripes } from './put-stripes.js';
import type { PlacedRecord, PutRecord } from './record-store.js';
import { encodeStripe, type SliceGroups, type Stripe, type StripeSource } from './stripe-batches.js';
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

/** What another process has stored of a version. */
export interface AdoptedStripes {
  /** The nodes of the shards of each stripe, by index. */
  readonly rows: readonly (readonly number[])[];
  /** Shards that may have reached nodes which were given up for them. */
  readonly strays: readonly { readonly node: number; readonly stripe: number; readonly index: number }[];
}

/** Stripes that are reserved without giving others a turn. */
const RESERVED_IN_A_TURN = 1000;

/** What is known of a version when its record is made. */
export interface WrittenVersion extends PlacedRecord {
  readonly usage: readonly NodeUsage[];
  readonly lastPage: LayoutPage;
}

/** Makes the records of a version, sealed: this module knows no keys. */
export interface VersionSealer {
  readonly manifest: (written: WrittenVersion) => NodeRecord;
  /** A page of the layout before the last one. */
  readonly page: (page: LayoutPage, revision: number) => NodeRecord;
}

/**
 * Writes the body of one version to the nodes and remembers where it lies, until the version is either committed or abandoned.
 * One object for one upload; not for use by several at once.
 */
export class VersionWriter {
  private readonly ledger = new WriteLedger();
  private layout: LayoutBuilder;
  /** A body so small that it travels in the version's record. */
  private rider: Stripe | undefined;
  private lastRow: readonly number[] = [];
  private readonly recordNodes = new Set<number>();
  /** When it began, for {@link StripeStore.requireSame}. */
  private readonly retirements: number;
  /** Files that are counted on nodes for what another process stores. */
  private readonly reserved = new Map<number, number>();

  /** @param release lets go of the hold on the version */
  constructor(
    private readonly parts: WriterParts,
    private source: StripeSource,
    private readonly release: () => void,
  ) {
    this.layout = new LayoutBuilder(source.shape);
    this.retirements = parts.stripes.retirements;
  }

  get versionId(): VersionId {
    return this.source.versionId;
  }

  get shape(): StripeShape {
    return this.source.shape;
  }

  /** Chooses the shape of the stripes, if not that with which this began; before anything of the body is stored. */
  reshape(shape: StripeShape): void {
    this.source = { ...this.source, shape };
    this.layout = new LayoutBuilder(shape);
  }

  /**
   * Stores all slices, and releases them; resolves when every shard of every stripe is durable on a node of its own.
   * @param width batches under way at once
   */
  async write(slices: SliceGroups, width: number, signal: AbortSignal): Promise<void> {
    const { ledger, source } = this;
    const puts = putStripes(slices, { stripes: this.parts.stripes, ledger, source, width }, signal);
    for await (const stripes of puts) await this.settle(stripes, signal);
  }

  /**
   * Counts stripes that another process is about to store, as if they were being stored here. Returns what was counted on each node before: who
   * begins with that chooses the same nodes.
   * @throws DomainError `not-enough-nodes`
   */
  async reserve(stripes: number): Promise<ReadonlyMap<number, number>> {
    const { placement } = this.parts;
    const before = placement.all();
    for (let from = 0; from < stripes; from += RESERVED_IN_A_TURN) {
      if (from > 0) await nextTurn();
      const choose = this.parts.stripes.chooser(this.shape.k + this.shape.m);
      for (let stripe = from; stripe < Math.min(stripes, from + RESERVED_IN_A_TURN); stripe += 1)
        for (const node of choose()) this.reserved.set(node, (this.reserved.get(node) ?? 0) + 1);
    }
    return before;
  }

  /** Takes over what another process has stored of the version, in the place of what was reserved. @param lengthOf bytes of a shard */
  async adopt(
    { rows, strays }: AdoptedStripes,
    lengthOf: (stripe: number, index: number) => number,
    signal: AbortSignal,
  ): Promise<void> {
    this.unreserve();
    rows.forEach((row, stripe) => {
      for (const node of row) this.parts.placement.count(node, 1);
      this.ledger.adopted(row, (index) => lengthOf(stripe, index));
    });
    const { versionId } = this;
    for (const { node, ...shard } of strays) this.ledger.strays.push({ node, shard: { versionId, ...shard } });
    await this.settle(undefined, signal);
  }

  /** Takes a whole body that is small enough to ride in the record of the version, with which it is written. */
  ride(body: Uint8Array): void {
    if (this.shape.k !== 1) throw new RangeError('only a body that is replicated can ride in a record');
    this.rider = { number: 0, shards: encodeStripe([body], 0, this.source) };
  }

  /** Makes the record of the version durable on m + 1 nodes, its layout with it, and the body, if that is small. */
  async record(put: PutRecord, sealer: VersionSealer, signal: AbortSignal): Promise<WrittenVersion> {
    return this.rider === undefined ? this.recordLayout(put, sealer, signal) : this.recordRider(put, sealer, signal);
  }

  private async recordRider(put: PutRecord, sealer: VersionSealer, signal: AbortSignal): Promise<WrittenVersion> {
    const { number, shards } = this.rider as Stripe;
    const nodes = this.parts.stripes.place({ number, shards }, this.ledger);
    const written = (placed: PlacedRecord): WrittenVersion => {
      for (const node of placed.nodes) this.recordNodes.add(node);
      return { ...placed, usage: this.usage(), lastPage: singlePage(placed.nodes, this.shape) };
    };
    const draft = {
      nodes,
      riders: shards,
      seal: (placed: PlacedRecord) => sealer.manifest(written(placed)),
      onMove: (position: number, to: number) => {
        this.parts.placement.move(nodes[position] as number, to);
        this.ledger.moved(nodes, shards[position] as Shard, to);
      },
    };
    return written(await put(draft, signal));
  }

  private async recordLayout(put: PutRecord, sealer: VersionSealer, signal: AbortSignal): Promise<WrittenVersion> {
    const [usage, lastPage] = [this.usage(), this.lastPage()];
    this.parts.stripes.requireSame(
      usage.map(({ node }) => node),
      this.retirements,
    );
    const written = (placed: PlacedRecord): WrittenVersion => {
      for (const node of placed.nodes) this.recordNodes.add(node);
      return { ...placed, usage, lastPage };
    };
    const { metadata } = this.parts;
    const pages = (): AsyncIterable<NodeRecord> | undefined =>
      lastPage.page === 0
        ? undefined
        : layoutRecords(metadata, { versionId: this.versionId, pages: lastPage.page, seal: sealer.page }, signal);
    const nodes = this.lastRow.slice(0, this.shape.m + 1);
    return written(await put({ nodes, pages, seal: (placed) => sealer.manifest(written(placed)) }, signal));
  }

  /** True if a node may have a record of the version. */
  get isRecorded(): boolean {
    return this.recordNodes.size > 0;
  }

  /** Leaves the version as it is, to the walk over the nodes: what it may have left on them could not be taken back. */
  leave(): void {
    this.unreserve();
    for (const { node, shards } of this.usage()) this.parts.placement.release(node, shards);
    this.release();
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
    this.unreserve();
    for (const { node, shards } of usage) this.parts.placement.release(node, shards);
    const nodes = [...new Set([...usage.map(({ node }) => node), ...this.recordNodes])];
    try {
      await this.settle(undefined, signal); // what was under way when the upload failed may have arrived
      if (nodes.length > 0) await this.parts.metadata.abandon({ versionId, nodes }, this.lastPage(), signal);
    } finally {
      this.release();
      this.parts.onStrays(this.ledger.strays);
    }
    if (nodes.length > 0) this.parts.onGarbage({ versionId, nodes, pages: this.lastPage().page + 1 });
  }

  /** The stripes that were reserved are stored here after all, or not at all. */
  unreserve(): void {
    for (const [node, files] of this.reserved) this.parts.placement.release(node, files);
    this.reserved.clear();
  }

  /** Moves stripes from the ledger to the layout; undefined: all. */
  private async settle(stripes: number | undefined, signal: AbortSignal): Promise<void> {
    for (const row of this.ledger.take(stripes)) {
      this.lastRow = row;
      const full = this.layout.add(row);
      if (full !== undefined) await this.parts.metadata.stageLayout(this.versionId, full, signal);
    }
  }
}
