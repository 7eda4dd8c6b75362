import { Injectable, Logger } from '@nestjs/common';
import { DomainError } from '../common/errors.js';
import type { FileId, VersionId } from '../common/ids.js';
import { OutcomeUnknownError } from '../common/outcome-unknown-error.js';
import { LiveConfig } from '../config/live-config.js';
import {
  StaleBasisError,
  type Amendment,
  type FileRecord,
  type LayoutPage,
  type Manifest,
  type MetadataStore,
  type StoredFile,
} from '../metadata/metadata-store.js';
import type { FileStatement } from '../metadata/record-codec.js';
import { RecordSealer } from '../records/record-sealer.js';
import { layoutRecords, readLastPage } from '../redundancy/layout-reader.js';
import type { PlacedRecord, PutRecord, RecordStore } from '../redundancy/record-store.js';
import type { MoveSealer } from '../redundancy/repair/move-committer.js';
import { FileChanges } from './file-changes.js';
import { KeyUse } from './key-use.js';
import { isReached, type Reach } from './owner-of.js';

/** What is to change; nothing: the record is only written anew. */
export type FileEdit = Pick<Amendment, 'name' | 'contentType' | 'updatedAt' | 'wrapped'>;

/** What a file must be for what is asked of it. */
export interface Demand extends Reach {
  /** The version that must be current (If-Match); undefined: any. */
  readonly expected?: VersionId | undefined;
}

/** One change under way. */
interface Change {
  readonly put: PutRecord;
  /** Whether all layout pages are put on the nodes anew. */
  readonly rewritesLayout?: boolean;
  readonly signal: AbortSignal;
}

/** Time to take back on the nodes what the index did not commit. The signal of the request is of no use then: it may be why. */
const TAKE_BACK_MS = 30_000;
const LEFT = 'nodes may keep a change that failed; the next walk over them takes it back';

/**
 * Changes of a file that bring no new content, and its end. As with uploads the nodes know first, so that an index that is rebuilt from them
 * has every name, and nothing that was deleted.
 */
@Injectable()
export class AmendService {
  private readonly logger = new Logger(AmendService.name);

  constructor(
    private readonly config: LiveConfig,
    readonly changes: FileChanges,
    private readonly sealer: RecordSealer,
    readonly keyUse: KeyUse,
  ) {}

  get metadata(): MetadataStore {
    return this.changes.metadata;
  }

  get records(): RecordStore {
    return this.changes.records;
  }

  /**
   * @param edit what to change of the file as it is when its turn comes; undefined: nothing any more
   * @param demand undefined for the store's own work, which is done on the files of all owners
   */
  async amend(
    id: FileId,
    edit: (stored: StoredFile) => FileEdit | undefined,
    demand: Demand | undefined,
    signal: AbortSignal,
  ): Promise<FileRecord> {
    return this.change(id, async (put) => {
      const stored = await this.find(id, demand, signal);
      const wanted = edit(stored);
      if (wanted === undefined) return stored.file;
      return this.orAsBefore(id, put, (noted) => this.write(stored, wanted, { put: noted, signal }));
    });
  }

  /** Deletes a file: first a tombstone is durable on as many nodes as the file lay on, then the index forgets it. */
  async remove(id: FileId, demand: Demand, signal: AbortSignal): Promise<StoredFile> {
    const kekId = this.sealer.activeKekId;
    return this.keyUse.during(kekId, () =>
      this.change(id, async (put) => {
        const { file, manifest } = await this.find(id, demand, signal);
        const nodes = this.changes.records.choose(this.copies(manifest), manifest.recordNodes);
        return this.orAsBefore(id, put, async (noted) => {
          const placed = await this.bury(id, { kekId, nodes }, { put: noted, signal });
          const tombstone = { fileId: id, kekId, ...placed };
          return this.changes.metadata.remove({ tombstone, basis: file.revision }, demand.expected, signal);
        });
      }),
    );
  }

  /**
   * Makes the state of the index the newest one that the nodes keep of a file: after a change that they have and it never committed.
   * @throws DomainError `not-enough-nodes`, `index-unavailable`
   */
  async reconcile(id: FileId): Promise<void> {
    await this.change(id, (put) => this.assert(id, { put, signal: AbortSignal.timeout(TAKE_BACK_MS) }));
  }

  /**
   * Runs a change of where shards and records of a file lie. Its content and name stay as they are, so it need not be asked for.
   * See `ChangeFile`.
   */
  relocate<Result>(id: FileId, work: (put: PutRecord, sealer: MoveSealer) => Promise<Result>): Promise<Result> {
    return this.change(id, (put) => this.orAsBefore(id, put, (noted) => work(noted, this.sealer)));
  }

  /** See {@link FileChanges.change}. What is in doubt is taken back on the nodes when it turns out that it was not made. */
  private async change<Result>(id: FileId, work: (put: PutRecord) => Promise<Result>): Promise<Result> {
    try {
      return await this.changes.change(id, work);
    } catch (error) {
      if (error instanceof OutcomeUnknownError) void this.settle(id, error);
      throw error;
    }
  }

  private async settle(id: FileId, { isMade }: OutcomeUnknownError): Promise<void> {
    try {
      if (!(await isMade)) await this.reconcile(id);
    } catch (error) {
      this.logger.warn({ err: error }, LEFT);
    }
  }

  private async assert(id: FileId, change: Change): Promise<void> {
    const stored = await this.changes.metadata.find(id, change.signal);
    if (stored !== undefined) {
      // A move of its shards may have been cut short, and what nodes keep of the layout be that of the move.
      await this.write(stored, {}, { ...change, rewritesLayout: true });
      return;
    }
    const kekId = this.sealer.activeKekId;
    await this.keyUse.during(kekId, async () => {
      const nodes = this.changes.records.choose(this.copies(), []);
      const placed = await this.bury(id, { kekId, nodes }, change);
      const isKept = await this.changes.metadata.addTombstone({ fileId: id, kekId, ...placed }, change.signal);
      if (!isKept) throw new StaleBasisError(); // the file has come to be since it was looked for
    });
  }

  /**
   * Does the work; if it fails after its first record, nodes may have what the index has not, and are told so at once. While the index may have
   * it as well nothing is told them: it would win over a change that was made.
   * @throws DomainError `outcome-unknown` if they could not be told
   */
  private async orAsBefore<Result>(id: FileId, put: PutRecord, work: (put: PutRecord) => Promise<Result>): Promise<Result> {
    let isRecorded = false as boolean; // it is set in a callback, which the compiler does not follow
    try {
      return await work((draft, signal) => {
        const seal: typeof draft.seal = (placed) => {
          isRecorded = true; // it goes out now
          return draft.seal(placed);
        };
        return put({ ...draft, seal }, signal);
      });
    } catch (error) {
      if (error instanceof OutcomeUnknownError || !isRecorded) throw error;
      if (error instanceof StaleBasisError) throw error; // it is tried again, and so written anew
      try {
        await this.assert(id, { put, signal: AbortSignal.timeout(TAKE_BACK_MS) });
      } catch (cause) {
        this.logger.warn({ err: cause }, LEFT);
        throw cause instanceof OutcomeUnknownError || cause instanceof StaleBasisError ? cause : outcomeUnknown(error);
      }
      throw error;
    }
  }

  private async write(
    { file, manifest }: StoredFile,
    edit: FileEdit,
    { put, rewritesLayout, signal }: Change,
  ): Promise<FileRecord> {
    const { records, metadata } = this.changes;
    const { wrapped, ...changed } = edit;
    const seal = { ...manifest.seal, ...wrapped };
    const lastPage = await readLastPage(metadata, manifest, signal);
    const state = ({ nodes, revision }: PlacedRecord): FileStatement => ({
      file: { ...file, ...changed, revision },
      manifest: { ...manifest, seal, recordNodes: nodes },
      lastPage,
    });
    const { versionId } = file;
    const owner = { fileId: file.id, versionId, kekId: seal.kekId };
    const sealPage = (page: LayoutPage, revision: number) => this.sealer.page({ ...owner, revision }, page);
    const layout = { versionId, pages: lastPage.page, seal: sealPage };
    const isAnew = wrapped !== undefined || rewritesLayout === true;
    const placed = await put(
      {
        nodes: records.choose(manifest.m + 1, manifest.recordNodes),
        seal: (where) => this.sealer.manifest(state(where)),
        pages: (node, { revision }) => {
          if (isAnew) return layoutRecords(metadata, { ...layout, revisionOf: () => revision }, signal);
          // Under the same key the pages stay as they are where they lie.
          return manifest.recordNodes.includes(node) ? undefined : layoutRecords(metadata, layout, signal);
        },
      },
      signal,
    );
    const { nodes: recordNodes, revision } = placed;
    const amendment = { ...edit, basis: file.revision, revision, recordNodes, ...(isAnew && { layoutRevision: revision }) };
    return metadata.amend(file.id, amendment, undefined, signal);
  }

  private bury(
    fileId: FileId,
    { kekId, nodes }: { readonly kekId: string; readonly nodes: number[] },
    { put, signal }: Change,
  ): Promise<PlacedRecord> {
    const seal = (placed: PlacedRecord) => this.sealer.tombstone({ fileId, kekId, ...placed });
    return put({ nodes, seal }, signal);
  }

  /** A file as it is now. @throws DomainError `file-not-found`; `precondition-failed` if another version than the expected one is current */
  async find(id: FileId, demand: Demand | undefined, signal: AbortSignal): Promise<StoredFile> {
    const stored = await this.changes.metadata.find(id, signal);
    if (stored === undefined || (demand !== undefined && !isReached(stored.file, demand)))
      throw new DomainError('file-not-found', 'no file has this id');
    const expected = demand?.expected;
    if (expected !== undefined && expected !== stored.file.versionId)
      throw new DomainError('precondition-failed', 'the file has another version by now');
    return stored;
  }

  private copies(manifest?: Manifest): number {
    return 1 + Math.max(this.config.redundancy, manifest?.m ?? 0);
  }
}

/** What is answered when a change failed, nodes may have its record, and they could not be told so. */
export function outcomeUnknown(cause: unknown): DomainError {
  return new DomainError('outcome-unknown', 'the change failed, and some nodes may keep its record until they are walked over', {
    cause,
  });
}
