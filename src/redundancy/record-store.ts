import { DomainError } from '../common/errors.js';
import type { MetadataStore } from '../metadata/metadata-store.js';
import type { NodeRegistry } from '../nodes/node-registry.js';
import { NodeError, type NodeRecord, type Shard } from '../nodes/storage-node.js';
import type { Placement } from '../placement/placement.js';

/** A record as it is to be kept, and what goes with it. */
export interface RecordDraft {
  /** Nodes to try first, as many as copies are wanted; each that fails is replaced by another one. Changed in place. */
  readonly nodes: number[];
  /** Makes the record for these nodes; called again when one of them is replaced. */
  readonly seal: (placed: PlacedRecord) => NodeRecord;
  /** A shard for each of the nodes, by position, that rides in the record. */
  readonly riders?: readonly Shard[];
  /** Told before the node at a position is replaced. */
  readonly onMove?: (position: number, to: number) => void;
  /** The records that have to lie beside it on a node, as far as that does not have them yet. They are put before it. */
  readonly pages?: (node: number, placed: PlacedRecord) => AsyncIterable<NodeRecord> | undefined;
}

export interface PlacedRecord {
  readonly nodes: readonly number[];
  readonly revision: number;
}

/** Puts a record on nodes; see {@link RecordStore.put}. */
export type PutRecord = (draft: RecordDraft, signal: AbortSignal) => Promise<PlacedRecord>;

export interface RecordStoreParts {
  readonly registry: NodeRegistry;
  readonly placement: Placement;
  readonly metadata: MetadataStore;
}

/** Bytes of layout pages that go to a node with one call. */
const PAGE_BATCH_BYTES = 1024 * 1024;

/**
 * Keeps on the nodes what the index says of each file, so that the index can be rebuilt from them: a change is durable on as many nodes as
 * a file has copies before the index commits it. Of all records of a file the one with the highest revision counts (docs/adr/0008).
 */
export class RecordStore {
  private readonly underWay = new Set<number>();
  private newest = 0;
  private noted = 0;

  constructor(readonly parts: RecordStoreParts) {}

  /** Runs one change of a file, from its first record on a node to its commit in the index, or its failure. */
  async change<Result>(work: (put: PutRecord) => Promise<Result>): Promise<Result> {
    const given: number[] = [];
    try {
      return await work((draft, signal) => this.put(draft, given, signal));
    } finally {
      for (const revision of given) this.underWay.delete(revision);
    }
  }

  /** Notes in the index how far all changes have ended, so that the next start need not look at what is older. */
  async noteSettled(signal: AbortSignal): Promise<void> {
    const settled = Math.min(this.newest, ...[...this.underWay].map((revision) => revision - 1));
    if (settled <= this.noted) return;
    await this.parts.metadata.noteSettled(settled, signal);
    this.noted = settled;
  }

  /** A revision above all that were given so far, and the highest one below which no change is under way. */
  async settledThrough(signal: AbortSignal): Promise<number> {
    const next = await this.parts.metadata.nextRevision(signal);
    return Math.min(next, ...this.underWay) - 1;
  }

  /**
   * As many nodes as `copies` that can be written to, the wanted ones first, and those that are to be emptied only where there are no others.
   * Full nodes count, where nothing but a few bytes is written.
   * @param accepts whether a node may be chosen at all
   */
  choose(copies: number, wanted: readonly number[], accepts: (node: number) => boolean = () => true): number[] {
    const reachable = this.parts.registry.reachable().filter(accepts);
    const first = wanted.filter((node) => reachable.includes(node) && !this.isLeaving(node));
    const others = this.byLoad(reachable.filter((node) => !first.includes(node)));
    const nodes = [...first, ...others].slice(0, copies);
    if (nodes.length < copies) throw notEnough(copies, nodes.length);
    return nodes;
  }

  /** Resolves when all nodes have the record durably. @throws DomainError `not-enough-nodes`; by then no put is under way */
  private async put(draft: RecordDraft, given: number[], signal: AbortSignal): Promise<PlacedRecord> {
    const lost = new Set<number>();
    for (;;) {
      const revision = await this.parts.metadata.nextRevision(signal);
      this.underWay.add(revision);
      this.newest = Math.max(this.newest, revision);
      given.push(revision);
      const placed = { nodes: [...draft.nodes], revision };
      const failed = await this.putOnce(draft, { placed, record: draft.seal(placed) }, signal);
      if (failed.length === 0) return placed;
      for (const position of failed) lost.add(draft.nodes[position] as number);
      for (const position of failed) this.move(draft, position, lost);
    }
  }

  /** One round. Returns the positions of the nodes that failed, after all have settled. */
  private async putOnce(
    { nodes, riders, pages }: RecordDraft,
    { placed, record }: { readonly placed: PlacedRecord; readonly record: NodeRecord },
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    const puts = nodes.map(async (number, position) => {
      const shards = riders === undefined ? [] : [riders[position] as Shard];
      if (pages !== undefined) await this.putPages(number, pages(number, placed), signal);
      await this.parts.registry.call(number, (node) => node.put({ shards, records: [record] }, signal));
    });
    const settled = await Promise.allSettled(puts);
    return settled.flatMap((result, position) => {
      if (result.status === 'fulfilled') return [];
      if (result.reason instanceof NodeError) return [position];
      throw result.reason;
    });
  }

  private async putPages(number: number, pages: AsyncIterable<NodeRecord> | undefined, signal: AbortSignal): Promise<void> {
    let batch: NodeRecord[] = [];
    let bytes = 0;
    const flush = async (): Promise<void> => {
      const records = batch;
      batch = [];
      bytes = 0;
      if (records.length > 0) await this.parts.registry.call(number, (node) => node.put({ shards: [], records }, signal));
    };
    for await (const page of pages ?? []) {
      batch.push(page);
      bytes += page.bytes.length;
      if (bytes >= PAGE_BATCH_BYTES) await flush();
    }
    await flush();
  }

  private move({ nodes, riders, onMove }: RecordDraft, position: number, lost: ReadonlySet<number>): void {
    const { registry } = this.parts;
    const usable = riders === undefined ? registry.reachable() : registry.writable();
    const [to] = this.byLoad(usable.filter((node) => !nodes.includes(node) && !lost.has(node)));
    if (to === undefined) throw notEnough(nodes.length, usable.length);
    onMove?.(position, to);
    nodes[position] = to;
  }

  private byLoad(nodes: readonly number[]): readonly number[] {
    const { placement } = this.parts;
    const rank = (node: number): number => Number(this.isLeaving(node));
    return [...nodes].sort((a, b) => rank(a) - rank(b) || placement.files(a) - placement.files(b) || a - b);
  }

  private isLeaving(node: number): boolean {
    return this.parts.registry.status(node).state === 'draining';
  }
}

function notEnough(copies: number, usable: number): DomainError {
  return new DomainError('not-enough-nodes', `each file needs ${copies} nodes and ${usable} can take it now`);
}
