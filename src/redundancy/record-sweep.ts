import type { FileId, VersionId } from '../common/ids.js';
import { mapOrdered } from '../common/map-ordered.js';
import type { StoredFile, Tombstone } from '../metadata/metadata-store.js';
import { NodeError, type RecordHead } from '../nodes/storage-node.js';
import type { CollectorParts } from './collector-parts.js';
import { isYoung } from './is-young.js';

/** Records looked at, or forgotten, by one call to a node. */
const BATCH = 1000;

/** Records settled at once. */
const WIDTH = 16;

interface Look {
  readonly signal: AbortSignal;
  /** The revision through which all changes had ended before the node was listed: what is newer may yet be told to the index. */
  readonly settled: number;
  /** Age at which what no file needs is an orphan. */
  readonly graceMs: number;
  /** The node is to be emptied: nothing is put on it any more, so what is not said to lie there is not needed there. */
  readonly isLeaving?: boolean;
  /** Nothing is under way: what one node has and another one lacks was cut short. */
  readonly isStart?: boolean;
}

/** `young`: it is not needed as far as the index knows, but may belong to a change that is on its way. */
type Verdict = 'keep' | 'forget' | 'young';

/**
 * The walk over the records of nodes. What the index does not know is what a crash left behind, or a node that slept; it must never win over
 * the index when that is rebuilt, so before such a record goes the state of the index is made the newest one.
 */
export class RecordSweep {
  constructor(private readonly parts: CollectorParts) {}

  /**
   * Forgets what is not needed on a node and notes how far it was cleaned. Returns how many records went.
   * @param unsettled takes the versions of manifests that have to stay though no file has them
   * @param look absent: as on all nodes
   */
  async sweepNode(
    number: number,
    unsettled: Set<VersionId>,
    signal: AbortSignal,
    look: Omit<Look, 'signal' | 'settled'> = { graceMs: this.parts.graceMs },
  ): Promise<number> {
    const settled = await this.parts.records.settledThrough(signal);
    let through = settled;
    let swept = 0;
    let batch: RecordHead[] = [];
    const flush = async (): Promise<void> => {
      const heads = batch;
      batch = [];
      if (heads.length > 0) await this.forget(number, heads);
      swept += heads.length;
    };
    for await (const head of this.parts.registry.node(number).listRecords(signal)) {
      const verdict = await this.judge(number, head, { ...look, settled, signal });
      if (verdict === 'young') through = Math.min(through, head.revision - 1);
      if (verdict === 'young' && head.kind === 'manifest') unsettled.add(head.id as VersionId);
      if (verdict !== 'forget') continue;
      batch.push(head);
      if (batch.length >= BATCH) await flush();
    }
    await flush();
    await this.parts.metadata.noteSwept(number, Math.max(0, through), signal);
    return swept;
  }

  /** Judges only what is newer than a revision, and at once, however young; returns how many records had to be taken back. */
  async settleNode(number: number, after: number, signal: AbortSignal): Promise<number> {
    const settled = await this.parts.records.settledThrough(signal);
    const newer: RecordHead[] = [];
    for await (const head of this.parts.registry.node(number).listRecords(signal)) if (head.revision > after) newer.push(head);
    const look = { settled, signal, graceMs: 0, isStart: true };
    const verdicts = await Array.fromAsync(mapOrdered(newer, WIDTH, (head) => this.judge(number, head, look)));
    const gone = newer.filter((_, at) => verdicts[at] === 'forget');
    for (let at = 0; at < gone.length; at += BATCH) await this.forget(number, gone.slice(at, at + BATCH));
    return gone.length;
  }

  /** Lets go of the tombstones under which no node can have anything any more. */
  async dropTombstones(signal: AbortSignal): Promise<void> {
    const { registry, metadata } = this.parts;
    if (!registry.isComplete) return;
    const swept = await Promise.all(registry.nodes.map(({ number }) => metadata.sweptThrough(number, signal)));
    const through = Math.min(...swept);
    let batch: Tombstone[] = [];
    for await (const tombstone of metadata.tombstones(signal)) {
      if (tombstone.revision <= through) batch.push(tombstone);
      if (batch.length < BATCH) continue;
      await this.drop(batch, signal);
      batch = [];
    }
    await this.drop(batch, signal);
  }

  /**
   * The index lets go first: what stays on a node that fails now is one that it does not know, which the next walk forgets. Who stops waits for
   * the nodes: with an index made anew just then, a deletion that only some of them still have would be one with a copy less than promised.
   */
  private async drop(tombstones: readonly Tombstone[], signal: AbortSignal): Promise<void> {
    await Promise.all(tombstones.map((tombstone) => this.parts.metadata.dropTombstone(tombstone, signal)));
    const places = tombstones.flatMap(({ nodes, ...tombstone }) => nodes.map((node) => ({ node, ...tombstone })));
    const byNode = [...Map.groupBy(places, ({ node: number }) => number)];
    await Promise.all(byNode.map(([node, group]) => this.forgetIfThere(node, group)));
  }

  private async forgetIfThere(node: number, tombstones: readonly Omit<Tombstone, 'nodes'>[]): Promise<void> {
    try {
      await this.forget(
        node,
        tombstones.map(({ fileId: id, revision }) => ({ kind: 'tombstone', id, page: 0, revision })),
      );
    } catch (error) {
      if (!(error instanceof NodeError)) throw error;
    }
  }

  private async judge(number: number, head: RecordHead, look: Look): Promise<Verdict> {
    const { signal, graceMs } = look;
    if (head.kind === 'tombstone') return this.judgeTombstone(head, look);
    const versionId = head.id as VersionId;
    // Asked first: an upload lets go of its version only after the commit, so one that is not held by now is found, or never will be.
    const isHeld = this.parts.holds.isHeld(versionId);
    const stored = await this.parts.metadata.findByVersion(versionId, signal);
    if (isHeld) return stored !== undefined && (await this.isCurrent(head, stored, signal)) ? 'keep' : 'young';
    if (head.kind === 'layout')
      return stored === undefined ? this.ifOld(versionId, graceMs) : this.judgePage(number, head, stored, look);
    if (stored === undefined)
      return this.ifOld(versionId, graceMs) === 'young' ? 'young' : this.judgeOrphan(number, head, signal);
    if (head.revision > stored.file.revision) return this.afterReconciling(stored.file.id);
    return head.revision === stored.file.revision ? 'keep' : 'forget';
  }

  /** Whether the index knows just this record of a current version: who reads or moves that puts no other one in its place. */
  private async isCurrent({ kind, page, revision }: RecordHead, { file }: StoredFile, signal: AbortSignal): Promise<boolean> {
    if (kind === 'manifest') return revision === file.revision;
    const known = await this.parts.metadata.layoutRevision(file.versionId, page - 1, signal);
    return revision === known && known <= file.revision;
  }

  /**
   * A page of the layout of a current version. One that the index does not know is of a move that was never committed; one that is newer
   * than its file came with a rebuild, out of such a move. Either may name nodes that have nothing, so all pages are put on the nodes anew.
   * One that the index knows stays even where no record of the file lies: a change that is under way may just have put it there, but for a
   * node that is to be emptied.
   */
  private async judgePage(
    number: number,
    { page, revision }: RecordHead,
    { file, manifest }: StoredFile,
    { signal, isLeaving }: Look,
  ): Promise<Verdict> {
    const known = await this.parts.metadata.layoutRevision(file.versionId, page - 1, signal);
    if (revision > known || known > file.revision) return this.afterReconciling(file.id);
    if (isLeaving === true && !manifest.recordNodes.includes(number)) return 'forget';
    return revision === known ? 'keep' : 'forget';
  }

  /** What a node that was away brings back from before this run would else be taken for a file, should the index be lost once more. */
  private ifOld(versionId: VersionId, graceMs: number): Verdict {
    return isYoung(versionId, graceMs, this.parts.runBegan) ? 'young' : 'forget';
  }

  /** A manifest of no file's current version: harmless only if something newer is known of its file. */
  private async judgeOrphan(number: number, head: RecordHead, signal: AbortSignal): Promise<Verdict> {
    const [record] = await this.parts.registry.call(number, (node) => node.getRecords([head], signal));
    if (record === undefined || (record instanceof NodeError && record.kind === 'not-found')) return 'keep';
    if (record instanceof NodeError) return record.kind === 'corrupt' ? 'forget' : 'young';
    const known = await this.knownRevision(record.fileId, signal);
    return known >= head.revision ? 'forget' : this.afterReconciling(record.fileId);
  }

  /** One that a rebuilt index took for done may be on fewer nodes than it says: a crash came between them. */
  private async judgeTombstone(head: RecordHead, { settled, isStart, signal }: Look): Promise<Verdict> {
    const fileId = head.id as FileId;
    const tombstone = await this.parts.metadata.findTombstone(fileId, signal);
    if (tombstone?.revision === head.revision)
      return isStart === true && (await this.isLacking(tombstone.nodes, head, signal)) ? this.afterReconciling(fileId) : 'keep';
    const known = await this.knownRevision(fileId, signal);
    if (known === 0 && head.revision > settled) return 'young';
    // One that the index let go of: every node was clean by then.
    if (known === 0 || known > head.revision) return 'forget';
    return this.afterReconciling(fileId);
  }

  /** Whether a node that can be asked does not have a record, or an older one. */
  private async isLacking(nodes: readonly number[], head: RecordHead, signal: AbortSignal): Promise<boolean> {
    const { registry } = this.parts;
    const asked = nodes.filter((node) => registry.reachable().includes(node));
    return (await Promise.all(asked.map((number) => this.lacks(number, head, signal)))).includes(true);
  }

  /** A node that fails is not known to lack anything. */
  private async lacks(number: number, head: RecordHead, signal: AbortSignal): Promise<boolean> {
    try {
      const [found] = await this.parts.registry.call(number, (node) => node.getRecords([head], signal));
      if (found === undefined) return false;
      return found instanceof NodeError ? found.kind === 'not-found' : found.revision < head.revision;
    } catch (error) {
      if (!(error instanceof NodeError) || signal.aborted) throw error;
      return false;
    }
  }

  private async knownRevision(fileId: FileId, signal: AbortSignal): Promise<number> {
    const { metadata } = this.parts;
    const stored = await metadata.find(fileId, signal);
    return stored?.file.revision ?? (await metadata.findTombstone(fileId, signal))?.revision ?? 0;
  }

  private async afterReconciling(fileId: FileId): Promise<Verdict> {
    try {
      await this.parts.reconcile(fileId);
      return 'forget';
    } catch {
      return 'young'; // told by the one who could not; until it is done, nothing that protects from this record may go
    }
  }

  private async forget(number: number, heads: readonly RecordHead[]): Promise<void> {
    await this.parts.registry.call(number, (node, signal) => node.forget(heads, signal));
  }
}
