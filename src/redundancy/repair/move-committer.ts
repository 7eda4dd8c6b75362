import type { FileId } from '../../common/ids.js';
import type { LayoutPage, Manifest, NodeUsage, StoredFile } from '../../metadata/metadata-store.js';
import type { FileStatement } from '../../metadata/record-codec.js';
import { NodeError, type NodeRecord, type RecordHead } from '../../nodes/storage-node.js';
import { layoutRecords, readLastPage } from '../layout-reader.js';
import { layoutPages, LayoutView } from '../layout.js';
import type { PlacedRecord, PutRecord, RecordStore } from '../record-store.js';
import type { MovePolicy } from './move-plan.js';

/** Seals records: this module knows no keys. */
export interface MoveSealer {
  readonly manifest: (statement: FileStatement) => NodeRecord;
  readonly page: (
    owner: Pick<Manifest, 'fileId' | 'versionId'> & { readonly revision: number; readonly kekId: string },
    page: LayoutPage,
  ) => NodeRecord;
}

/** Runs a change of a file in its turn; again, if the file has changed under it; and takes back what it left on nodes if it fails. */
export type ChangeFile = <Result>(id: FileId, work: (put: PutRecord, sealer: MoveSealer) => Promise<Result>) => Promise<Result>;

/** What a step wants to be true. */
export interface MoveCommit {
  readonly policy: MovePolicy;
  readonly page: LayoutPage;
  /** The usage after the step, given that before it. */
  readonly usage: (before: readonly NodeUsage[]) => readonly NodeUsage[];
}

interface Change {
  readonly put: PutRecord;
  readonly sealer: MoveSealer;
  readonly signal: AbortSignal;
}

interface NewState {
  readonly policy: MovePolicy;
  readonly m: number;
  readonly usage: readonly NodeUsage[];
  readonly page: LayoutPage | undefined;
}

/** Makes moved shards part of their version: first the nodes know, on m + 1 of them, then the index. */
export class MoveCommitter {
  constructor(
    private readonly records: RecordStore,
    private readonly changeFile: ChangeFile,
  ) {}

  /** False, and nothing is changed, if the version is not the current one any more. */
  async commit({ fileId, versionId }: Manifest, { policy, page, usage }: MoveCommit, signal: AbortSignal): Promise<boolean> {
    return this.changeFile(fileId, async (put, sealer) => {
      const stored = await this.records.parts.metadata.findByVersion(versionId, signal);
      if (stored === undefined) return false;
      const { manifest } = stored;
      const state = { policy, page, usage: usage(manifest.usage), m: manifest.m };
      await this.write(stored, state, { put, sealer, signal });
      return true;
    });
  }

  /** What is left when all shards are in place: m, and the records that lie where they may not. False as above. */
  async finish(
    { manifest: { fileId, versionId, m, recordNodes } }: StoredFile,
    policy: MovePolicy,
    signal: AbortSignal,
  ): Promise<boolean> {
    if ((policy.m ?? m) === m && recordNodes.every((node) => this.mayKeep(node, policy))) return true;
    return this.changeFile(fileId, async (put, sealer) => {
      const stored = await this.records.parts.metadata.findByVersion(versionId, signal);
      if (stored === undefined) return false;
      const { manifest } = stored;
      const state = { policy, page: undefined, usage: manifest.usage, m: policy.m ?? manifest.m };
      const isDone = state.m === manifest.m && manifest.recordNodes.every((node) => this.mayKeep(node, policy));
      if (!isDone) await this.write(stored, state, { put, sealer, signal });
      return true;
    });
  }

  private mayKeep(node: number, { mayKeepRecord }: MovePolicy): boolean {
    return this.records.parts.registry.has(node) && (mayKeepRecord?.(node) ?? true);
  }

  private async write(stored: StoredFile, state: NewState, { put, sealer, signal }: Change): Promise<void> {
    const { file, manifest } = stored;
    const { metadata } = this.records.parts;
    const { policy, m, usage, page } = state;
    const isLast = page?.page === layoutPages(manifest) - 1;
    const lastPage = isLast ? page : await readLastPage(metadata, manifest, signal);
    const after = { ...manifest, m, usage };
    const owner = { fileId: file.id, versionId: file.versionId, kekId: manifest.seal.kekId };
    const layout = {
      versionId: file.versionId,
      pages: lastPage.page,
      seal: (one: LayoutPage, revision: number) => sealer.page({ ...owner, revision }, one.page === page?.page ? page : one),
    };
    const pages = (node: number, { revision }: PlacedRecord): AsyncIterable<NodeRecord> | undefined => {
      if (!manifest.recordNodes.includes(node)) return this.allPages(layout, { changed: page?.page, revision }, signal);
      if (page === undefined || page.page === lastPage.page) return undefined;
      return layoutRecords(metadata, { ...layout, revisionOf: (at) => (at === page.page ? revision : undefined) }, signal);
    };
    const seal = ({ nodes: recordNodes, revision }: PlacedRecord): NodeRecord =>
      sealer.manifest({ file: { ...file, revision }, manifest: { ...after, recordNodes }, lastPage });
    const nodes = this.chooseNodes(manifest, { policy, m, lastPage });
    const { nodes: recordNodes, revision } = await put({ nodes, seal, pages }, signal);
    const pagesAfter = page === undefined ? [] : [page];
    const ids = { fileId: file.id, versionId: file.versionId };
    await metadata.relocate({ ...ids, basis: file.revision, revision, m, usage, recordNodes, pages: pagesAfter }, signal);
    await this.forgetOld(manifest, { nodes: recordNodes, revision }, signal);
  }

  /** All pages before the last one, for a node that has none: the changed one with the revision of this change, the others with theirs. */
  private async *allPages(
    layout: Parameters<typeof layoutRecords>[1],
    { changed, revision }: { readonly changed: number | undefined; readonly revision: number },
    signal: AbortSignal,
  ): AsyncGenerator<NodeRecord, void, undefined> {
    const { metadata } = this.records.parts;
    const revisions = new Map<number, number>();
    for (let page = 0; page < layout.pages; page += 1)
      revisions.set(page, page === changed ? revision : await metadata.layoutRevision(layout.versionId, page, signal));
    yield* layoutRecords(metadata, { ...layout, revisionOf: (page) => revisions.get(page) }, signal);
  }

  /** The nodes of the record before, as far as it may stay there; then those of the last stripe, so that record and shards of a small file lie together. */
  private chooseNodes(
    manifest: Manifest,
    { policy, m, lastPage }: { readonly policy: MovePolicy; readonly m: number; readonly lastPage: LayoutPage },
  ): number[] {
    const view = new LayoutView(lastPage.bytes);
    const wanted = [...manifest.recordNodes.filter((node) => this.mayKeep(node, policy)), ...view.nodes(view.stripes - 1)];
    return this.records.choose(m + 1, [...new Set(wanted)], (node) => this.mayKeep(node, policy));
  }

  /** The walk over the nodes forgets what is left where this does not get through. */
  private async forgetOld(before: Manifest, { nodes, revision }: PlacedRecord, signal: AbortSignal): Promise<void> {
    const { registry } = this.records.parts;
    const gone = before.recordNodes.filter((node) => !nodes.includes(node) && registry.reachable().includes(node));
    const { versionId: id } = before;
    const kind = (page: number): RecordHead['kind'] => (page === 0 ? 'manifest' : 'layout');
    const heads = Array.from({ length: layoutPages(before) }, (_, page) => ({ kind: kind(page), id, page, revision }));
    for (const number of gone) {
      try {
        await registry.call(number, (node) => node.forget(heads, signal));
      } catch (error) {
        if (!(error instanceof NodeError)) throw error;
      }
    }
  }
}
