import { Injectable } from '@nestjs/common';
import { DomainError } from '../common/errors.js';
import { AppConfig } from '../config/app-config.js';
import { ClusterFile } from '../config/cluster-file.js';
import type { IndexBuilding } from '../metadata/index-place.js';
import type { MetadataStore } from '../metadata/metadata-store.js';
import { indexPlaceOf } from '../metadata/open-index-place.js';
import { NodeError, type StorageNode } from '../nodes/storage-node.js';
import { closeNodes, NodeSource, type ReadableNodes } from '../nodes/node-source.js';
import { RecordSealer } from '../records/record-sealer.js';
import { IndexRebuild, type NodeHarvest, type NodeProgress, type RebuildFindings } from './index-rebuild.js';
import { RebuildJournal } from './rebuild-journal.js';

export interface RebuildResult extends RebuildFindings {
  readonly harvests: readonly NodeHarvest[];
  /** Nodes that could not be read, with the reason. */
  readonly missing: ReadonlyMap<number, string>;
  /** Where the index that was there before lies now. */
  readonly kept: string | undefined;
}

/** An index that was filled from all nodes that can be read, before it is finished. */
export interface Harvested {
  readonly rebuild: IndexRebuild;
  readonly index: MetadataStore;
  readonly nodes: ReadableNodes['readable'];
}

/** What is to be done for one rebuild. */
export interface RebuildOptions {
  readonly progress: (progress: NodeProgress) => void;
  /** Called once when all nodes were read; if it throws, the index that was there before stays in its place. */
  readonly onHarvested?: (harvested: Harvested) => Promise<void>;
}

/** Makes the index anew from the nodes, beside the one that may be there, and puts it in its place when it is whole. */
@Injectable()
export class RebuildService {
  constructor(
    private readonly config: AppConfig,
    private readonly cluster: ClusterFile,
    private readonly sealer: RecordSealer,
    private readonly source: NodeSource,
  ) {}

  /** @throws DomainError `not-enough-nodes` if more nodes than may be lost cannot be read; `storage-locked`, `storage-unusable` */
  async run(options: RebuildOptions, signal: AbortSignal): Promise<RebuildResult> {
    const nodes = await this.source.openForReading(this.cluster, signal);
    try {
      signal.throwIfAborted();
      const building = indexPlaceOf(this.config, this.cluster).build();
      const result = await this.build(building, nodes, options, signal);
      signal.throwIfAborted();
      return { ...result, kept: await building.replace() };
    } finally {
      await closeNodes(nodes);
    }
  }

  private async build(
    building: IndexBuilding,
    { readable, missing }: ReadableNodes,
    { progress, onHarvested }: RebuildOptions,
    signal: AbortSignal,
  ): Promise<Omit<RebuildResult, 'kept'>> {
    const journal = RebuildJournal.open(building.directory, await newestOf(readable, signal));
    const index = await building.open();
    try {
      const rebuild = new IndexRebuild({ index, sealer: this.sealer, progress, damageMax: this.config.limits.damage_max });
      const lost = new Map(missing);
      const harvests: NodeHarvest[] = [];
      for (const node of readable.values()) {
        this.requireEnough(lost);
        const harvest = await harvestOnce(rebuild, journal, node, signal);
        if (harvest instanceof NodeError) lost.set(node.number, harvest.message);
        else harvests.push(harvest);
      }
      this.requireEnough(lost);
      await onHarvested?.({ rebuild, index, nodes: readable });
      return { ...(await rebuild.finish(signal)), harvests, missing: lost };
    } finally {
      await index.close();
    }
  }

  /** Each file's record lies on one node more than may be lost, so of all but these nodes one has it. */
  private requireEnough(missing: ReadonlyMap<number, string>): void {
    // While files are brought to a higher one, not all are there yet.
    const redundancy = Math.min(this.config.redundancy_count, this.cluster.map.redundancy ?? Infinity);
    const lacking = new Map([...this.restoring(), ...missing]);
    if (lacking.size <= redundancy) return;
    const reasons = [...lacking].map(([node, reason]) => `node ${node}: ${reason}`).join('; ');
    throw new DomainError(
      'not-enough-nodes',
      `${lacking.size} nodes cannot be read, and no more than ${redundancy} may be missing, or files would be: ${reasons}`,
    );
  }

  /** Nodes that are there and lack what the disk before theirs had. */
  private restoring(): readonly (readonly [number, string])[] {
    const { cluster } = this;
    return cluster.members
      .filter((number) => cluster.node(number).lostBefore !== undefined)
      .map((number) => [number, 'its disk is new, and what the old one had is not restored yet']);
  }
}

/** The highest revision on any of the nodes; one that does not answer is met again when it is to be read. */
async function newestOf(nodes: ReadableNodes['readable'], signal: AbortSignal): Promise<number> {
  const probes = await Promise.allSettled([...nodes.values()].map((node) => node.probe(signal)));
  signal.throwIfAborted();
  return Math.max(0, ...probes.map((probe) => (probe.status === 'fulfilled' ? probe.value.newestRevision : 0)));
}

/** Reads a node, if an interrupted rebuild did not read it as it is now; the error of one that fails, which is missing from there on. */
async function harvestOnce(
  rebuild: IndexRebuild,
  journal: RebuildJournal,
  node: StorageNode,
  signal: AbortSignal,
): Promise<NodeHarvest | NodeError> {
  try {
    const { newestRevision } = await node.probe(signal);
    const before = journal.harvestOf(node.number, newestRevision);
    // Which of its records are damaged is not in the journal.
    if (before?.damaged === 0) {
      await rebuild.revisit(node, newestRevision, signal);
      return before;
    }
    const harvest = await rebuild.harvest(node, signal);
    journal.add(harvest, newestRevision);
    return harvest;
  } catch (error) {
    signal.throwIfAborted(); // a call that was ended may say that of its node
    if (error instanceof NodeError) return error;
    throw error;
  }
}
