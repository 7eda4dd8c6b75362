import { Injectable } from '@nestjs/common';
import type { FileId, VersionId } from '../common/ids.js';
import { LiveConfig } from '../config/live-config.js';
import type { ShardPlace } from './repair/move-plan.js';
import type { Manifest } from '../metadata/metadata-store.js';
import { NodeRegistry } from '../nodes/node-registry.js';
import { Placement } from '../placement/placement.js';
import { CollectorService } from './collector.service.js';
import { Hedging } from './hedging.js';
import { layoutPages } from './layout.js';
import { NodeWriter } from './node-writer.js';
import { batchesInFlight, type CodingPlan, codingPlan } from './scheme.js';
import { StripeCodec, type StripeShape } from './stripe-codec.js';
import { type DamageListener, type SliceRange, StripeReader } from './stripe-reader.js';
import { StripeStore } from './stripe-store.js';
import { type LayoutReport, reportLayout } from './survival.js';
import { VersionHolds } from './version-holds.js';
import { VersionWriter, type WriterParts } from './version-writer.js';

/** The way to the nodes for whoever has slices to keep: writes them redundantly and reads them back whatever is lost. */
@Injectable()
export class RedundancyService {
  private readonly reader: StripeReader;
  private readonly writing: WriterParts;
  private readonly holds: VersionHolds;
  private onDamage: DamageListener = () => undefined;

  constructor(
    private readonly live: LiveConfig,
    private readonly registry: NodeRegistry,
    private readonly codec: StripeCodec,
    private readonly collector: CollectorService,
  ) {
    const { placement } = this;
    this.holds = collector.holds;
    this.writing = {
      stripes: new StripeStore(registry, placement, new NodeWriter(registry, live.current.limits.write_slow_ms_min)),
      placement,
      metadata: collector.metadata,
      onStrays: (strays) => this.collector.addStrays(strays),
      onGarbage: (garbage) => this.collector.collectSoon(garbage),
    };
    this.reader = new StripeReader({
      registry,
      metadata: collector.metadata,
      codec: this.codec,
      batchBytes: live.current.limits.batch_bytes,
      hedging: new Hedging(live.current.limits),
      onDamage: (node, shard, error) => this.onDamage(node, shard, error),
    });
  }

  private get placement(): Placement {
    return this.collector.records.parts.placement;
  }

  /** @param onDamage told of each shard that a read finds missing or damaged */
  tellDamageTo(onDamage: DamageListener): void {
    this.onDamage = onDamage;
  }

  /** How a body that is written now is coded; undefined: it is replicated. Nodes that were late just now are done without. */
  codingPlan(): CodingPlan | undefined {
    const prompt = this.registry.writable().filter((node) => !this.registry.isLate(node));
    return codingPlan(this.live.current, prompt.length);
  }

  /** Begins the writing of a version, replicated unless it is told otherwise. Whoever calls this ends it with `committed` or `abandon`. */
  writer(versionId: VersionId): VersionWriter {
    const shape = { k: 1, m: this.live.redundancy };
    this.writing.stripes.assertWritable(shape.k + shape.m); // before a byte of the body is read
    const source = { versionId, shape, codec: this.codec, batchBytes: this.live.current.limits.batch_bytes };
    return new VersionWriter(this.writing, source, this.holds.hold(versionId));
  }

  /** Batches of stripes that an upload may have under way. */
  width(shape: StripeShape, sliceBytes: number): number {
    const shardsHeld = shape.k === 1 ? 1 : shape.k + shape.m;
    return batchesInFlight(this.live.current, shape, { sliceBytes, shardsHeld });
  }

  /** See {@link StripeReader.read}. */
  read(manifest: Manifest, span: SliceRange, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const { k, sliceBytes } = manifest;
    const width = batchesInFlight(this.live.current, manifest, { sliceBytes, shardsHeld: k });
    return this.reader.read(manifest, span, { width, avoid: new Set() }, signal);
  }

  /** See {@link StripeReader.only}. */
  readOnly(manifest: Manifest, signal: AbortSignal): Promise<Uint8Array> {
    return this.reader.only(manifest, signal);
  }

  /** See {@link StripeReader.readings}. */
  readings(manifest: Manifest, span: SliceRange, signal: AbortSignal): AsyncIterable<AsyncIterable<Uint8Array>> {
    return this.reader.readings(manifest, span, signal);
  }

  /** Keeps the shards of a version from being deleted until the returned function is called, even if the file is. */
  hold(versionId: VersionId): () => void {
    return this.holds.hold(versionId);
  }

  /** The version is nobody's any more: its shards count no longer and are deleted as soon as nobody reads them. */
  dropped(manifest: Manifest): void {
    for (const { node, shards } of manifest.usage) this.placement.release(node, shards);
    const { versionId, usage, recordNodes } = manifest;
    const nodes = [...new Set([...usage.map(({ node }) => node), ...recordNodes])];
    this.collector.collectSoon({ versionId, nodes, pages: layoutPages(manifest) });
  }

  /** See `CollectorParts.reconcile`. */
  reconcileBy(reconcile: (fileId: FileId) => Promise<void>): void {
    this.collector.reconcileBy(reconcile);
  }

  /** Where the shards of a version lie and how many more nodes it survives at this moment. */
  async report(manifest: Manifest, signal: AbortSignal): Promise<LayoutReport> {
    const { metadata } = this.collector;
    const damaged = new Set<string>();
    for (const { node, shard } of await metadata.damageOf(manifest.versionId, signal))
      damaged.add(`${shard.stripe}/${shard.index}/${node}`);
    const isReadable = ({ node, stripe, index }: ShardPlace): boolean =>
      this.registry.isReadable(node, manifest.createdAt) && !damaged.has(`${stripe}/${index}/${node}`);
    const options = { isReadable, placesMax: this.live.current.limits.info_stripes_max };
    return reportLayout(metadata, manifest, options, signal);
  }
}
