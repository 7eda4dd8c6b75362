import { DomainError } from '../common/errors.js';
import { holding } from '../common/outcome-unknown-error.js';
import { within } from '../common/within.js';
import type { MetadataStore } from '../metadata/metadata-store.js';
import { heldError } from '../metadata/moving/movable.metadata-store.js';
import type { NodeRegistry } from '../nodes/node-registry.js';
import type { NodeBatch, NodeError, NodeRecord, Shard } from '../nodes/storage-node.js';
import type { Placement } from '../placement/placement.js';
import { LateError, type NodeWriter } from './node-writer.js';

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
  readonly writer: NodeWriter;
}

interface Round {
  readonly signal: AbortSignal;
  readonly placed: PlacedRecord;
  readonly passed: Passed;
}

/** Nodes that were tried in the rounds before. */
interface Passed {
  /** They failed. */
  readonly lost: Set<number>;
  /** They were late: they are taken again where there are no others. */
  readonly late: Set<number>;
}

/** A node that failed, or was late, by its position among those of a record. */
interface Failure {
  readonly position: number;
  readonly error: NodeError;
}

/** Bytes of layout pages that go to a node with one call. */
const PAGE_BATCH_BYTES = 1024 * 1024;

/**
 * Keeps on the nodes what the index says of each file, so that the index can be rebuilt from them: a change is durable on as many nodes as
 * a file has copies before the index commits it. Of all records of a file the one with the highest revision counts (docs/adr/0008).
 */
export class RecordStore {
  /** Revisions of which a record may still reach a node, with how many changes and puts that is due to. */
  private readonly underWay = new Map<number, number>();
  private readonly changes = new Set<Promise<unknown>>();
  private isPaused = false;
  private newest = 0;
  private noted = 0;

  constructor(readonly parts: RecordStoreParts) {}

  /** Runs one change of a file, from its first record on a node to its commit in the index, or its failure. */
  async change<Result>(work: (put: PutRecord) => Promise<Result>): Promise<Result> {
    if (this.isPaused) throw heldError();
    const given: number[] = [];
    const running = holding(
      () => work((draft, signal) => this.put(draft, given, signal)),
      () => given.forEach((revision) => this.letGo(revision)),
    );
    this.changes.add(running);
    try {
      return await running;
    } finally {
      this.changes.delete(running);
    }
  }

  /** Lets no change begin any more; resolves when none is under way. */
  async pause(signal: AbortSignal): Promise<void> {
    this.isPaused = true;
    while (this.changes.size > 0) await within(signal, Promise.allSettled(this.changes));
  }

  resume(): void {
    this.isPaused = false;
  }

  /** Notes in the index how far all changes have ended, so that the next start need not look at what is older. */
  async noteSettled(signal: AbortSignal): Promise<void> {
    const settled = Math.min(this.newest, ...[...this.underWay.keys()].map((revision) => revision - 1));
    if (settled <= this.noted) return;
    await this.parts.metadata.noteSettled(settled, signal);
    this.noted = settled;
  }

  /** A revision above all that were given so far, and the highest one below which no change is under way. */
  async settledThrough(signal: AbortSignal): Promise<number> {
    const next = await this.parts.metadata.nextRevision(signal);
    return Math.min(next, ...this.underWay.keys()) - 1;
  }

  /**
   * As many nodes as `copies` that can be written to, the wanted ones first. Full nodes count, where nothing but a few bytes is written.
   * @param accepts whether a node may be chosen at all
   */
  choose(copies: number, wanted: readonly number[], accepts: (node: number) => boolean = () => true): number[] {
    const { registry } = this.parts;
    const reachable = registry.reachable().filter(accepts);
    const others = this.byLoad(reachable.filter((node) => !wanted.includes(node)));
    const usable = [...wanted.filter((node) => reachable.includes(node)), ...others];
    const nodes = usable.sort((a, b) => Number(this.isWanted(b)) - Number(this.isWanted(a))).slice(0, copies);
    if (nodes.length < copies) throw notEnough(copies, nodes.length);
    return nodes;
  }

  /** Resolves when all nodes have the record durably. @throws DomainError `not-enough-nodes`; by then only puts that were given up are under way */
  private async put(draft: RecordDraft, given: number[], signal: AbortSignal): Promise<PlacedRecord> {
    const passed: Passed = { lost: new Set(), late: new Set() };
    for (;;) {
      const revision = await this.parts.metadata.nextRevision(signal);
      this.hold(revision);
      this.newest = Math.max(this.newest, revision);
      given.push(revision);
      const placed = { nodes: [...draft.nodes], revision };
      const failed = await this.putOnce(draft, draft.seal(placed), { placed, passed, signal });
      if (failed.length === 0) return placed;
      for (const { position, error } of failed)
        (error instanceof LateError ? passed.late : passed.lost).add(draft.nodes[position] as number);
      for (const { position } of failed) this.move(draft, position, passed);
    }
  }

  /** One round. Returns the nodes that failed or were late, after all others have settled. */
  private async putOnce(draft: RecordDraft, record: NodeRecord, round: Round): Promise<readonly Failure[]> {
    const { nodes, riders, pages } = draft;
    const failed: Failure[] = [];
    // As many may be late as there are others to take over.
    const mayMove = (): boolean => this.fresh(draft, round.passed).filter(this.isWanted).length > failed.length;
    const onLeft = (settled: Promise<unknown>): void => this.holdUntil(settled, round.placed.revision);
    const putTo = async (number: number, batch: NodeBatch): Promise<NodeError | undefined> =>
      this.parts.writer.put({ number, batch, mayMove, onLeft }, round.signal);
    const puts = nodes.map(async (number, position) => {
      const shards = riders === undefined ? [] : [riders[position] as Shard];
      let error = pages && (await putPages(pages(number, round.placed), (batch) => putTo(number, batch)));
      error ??= await putTo(number, { shards, records: [record] });
      if (error !== undefined) failed.push({ position, error });
    });
    const settled = await Promise.allSettled(puts);
    const unexpected = settled.find((result) => result.status === 'rejected');
    if (unexpected !== undefined) throw unexpected.reason;
    return failed;
  }

  /** Late nodes, and those that are to be emptied, are taken only if there are no others. */
  private readonly isWanted = (node: number): boolean => {
    const { registry } = this.parts;
    return !registry.isLate(node) && registry.state(node) !== 'draining';
  };

  private move(draft: RecordDraft, position: number, passed: Passed): void {
    const fresh = this.fresh(draft, passed);
    const choices = [fresh.filter(this.isWanted), fresh, this.candidates(draft, passed)];
    const [to] = this.byLoad(choices.find(({ length }) => length > 0) ?? []);
    if (to === undefined) throw notEnough(draft.nodes.length, this.usable(draft).length);
    draft.onMove?.(position, to);
    draft.nodes[position] = to;
  }

  private fresh(draft: RecordDraft, passed: Passed): readonly number[] {
    return this.candidates(draft, passed).filter((node) => !passed.late.has(node));
  }

  private candidates(draft: RecordDraft, { lost }: Passed): readonly number[] {
    return this.usable(draft).filter((node) => !draft.nodes.includes(node) && !lost.has(node));
  }

  private usable({ riders }: RecordDraft): readonly number[] {
    return riders === undefined ? this.parts.registry.reachable() : this.parts.registry.writable();
  }

  private hold(revision: number): void {
    this.underWay.set(revision, (this.underWay.get(revision) ?? 0) + 1);
  }

  private letGo(revision: number): void {
    const left = (this.underWay.get(revision) ?? 0) - 1;
    if (left > 0) this.underWay.set(revision, left);
    else this.underWay.delete(revision);
  }

  /** While a record may yet reach a node that was given up, no walk over that node may call it clean. */
  private holdUntil(settled: Promise<unknown>, revision: number): void {
    this.hold(revision);
    void settled.then(() => this.letGo(revision));
  }

  private byLoad(nodes: readonly number[]): readonly number[] {
    const { placement } = this.parts;
    return [...nodes].sort((a, b) => placement.files(a) - placement.files(b) || a - b);
  }
}

/** Puts pages in batches; returns the error of the first that did not arrive. */
async function putPages(
  pages: AsyncIterable<NodeRecord> | undefined,
  put: (batch: NodeBatch) => Promise<NodeError | undefined>,
): Promise<NodeError | undefined> {
  let records: NodeRecord[] = [];
  let bytes = 0;
  for await (const page of pages ?? []) {
    records.push(page);
    bytes += page.bytes.length;
    if (bytes < PAGE_BATCH_BYTES) continue;
    const error = await put({ shards: [], records });
    if (error !== undefined) return error;
    records = [];
    bytes = 0;
  }
  return records.length === 0 ? undefined : put({ shards: [], records });
}

function notEnough(copies: number, usable: number): DomainError {
  return new DomainError('not-enough-nodes', `each file needs ${copies} nodes and ${usable} can take it now`);
}
