import { Injectable } from '@nestjs/common';
import type { FileId, VersionId } from '../common/ids.js';
import { LiveConfig } from '../config/live-config.js';
import type { Manifest } from '../metadata/metadata-store.js';
import { NodeRegistry } from '../nodes/node-registry.js';
import { Placement } from '../placement/placement.js';
import { CollectorService } from './collector.service.js';
import { layoutPages } from './layout.js';
import { type CodingPlan, codingPlan, uploadBatches } from './scheme.js';
import { SliceReader } from './slice-reader.js';
import { StripeCodec, type StripeShape } from './stripe-codec.js';
import type { DamageListener } from './stripe-reader.js';
import { StripeStore } from './stripe-store.js';
import { type LayoutReport, readableShards, reportLayout } from './survival.js';
import { VersionHolds } from './version-holds.js';
import { VersionWriter, type WriterParts } from './version-writer.js';

/** The way to the nodes for whoever has slices to keep: writes them redundantly and reads them back whatever is lost. */
@Injectable()
export class RedundancyService {
  readonly slices: SliceReader;
  private readonly writing: WriterParts;
  private readonly holds: VersionHolds;
  private onDamage: DamageListener = () => undefined;

  constructor(
    private readonly live: LiveConfig,
    private readonly registry: NodeRegistry,
    private readonly codec: StripeCodec,
    private readonly collector: CollectorService,
  ) {
    const { placement, writer } = collector.records.parts;
    this.holds = collector.holds;
    this.writing = {
      stripes: new StripeStore(registry, placement, writer),
      placement,
      metadata: collector.metadata,
      onStrays: (strays) => this.collector.addStrays(strays),
      onGarbage: (garbage) => this.collector.collectSoon(garbage),
    };
    this.slices = new SliceReader(live, {
      registry,
      layouts: collector.metadata,
      codec: this.codec,
      onDamage: (node, shard, error) => this.damaged(node, shard, error),
    });
  }

  private get placement(): Placement {
    return this.collector.records.parts.placement;
  }

  /** @param onDamage told of each shard that a read finds missing or damaged */
  tellDamageTo(onDamage: DamageListener): void {
    this.onDamage = onDamage;
  }

  /** Tells of a shard that somebody found missing or damaged. */
  damaged: DamageListener = (node, shard, error) => this.onDamage(node, shard, error);

  /** The shape of what is replicated now. */
  get copies(): StripeShape {
    return { k: 1, m: this.live.redundancy };
  }

  /** How a body that is written now is coded; undefined: it is replicated. Nodes that were late just now are done without. */
  codingPlan(): CodingPlan | undefined {
    const prompt = this.registry.writable().filter((node) => !this.registry.isLate(node));
    return codingPlan(this.live.current, prompt.length);
  }

  /** Begins the writing of a version, replicated unless it is told otherwise. Whoever calls this ends it with `committed` or `abandon`. */
  writer(versionId: VersionId): VersionWriter {
    const shape = this.copies;
    this.writing.stripes.assertWritable(shape.k + shape.m); // before a byte of the body is read
    const source = { versionId, shape, codec: this.codec, batchBytes: this.live.current.limits.batch_bytes };
    return new VersionWriter(this.writing, source, this.holds.hold(versionId));
  }

  /** Batches of stripes that an upload may have under way. */
  width(shape: StripeShape, sliceBytes: number): number {
    return uploadBatches(this.live.current, shape, sliceBytes);
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
    const isReadable = readableShards(this.registry, manifest, await metadata.damageOf(manifest.versionId, signal));
    const options = { isReadable, placesMax: this.live.current.limits.info_stripes_max };
    return reportLayout(metadata, manifest, options, signal);
  }
}
