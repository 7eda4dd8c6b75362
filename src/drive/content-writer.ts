import { hash, timingSafeEqual } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import type { AccountId } from '../auth/account.js';
import { DomainError, errorCode } from '../common/errors.js';
import type { FileId } from '../common/ids.js';
import type { ManifestHead } from '../sdk/revision-manifest.js';
import { movedRevisionKey, revisionKey } from './drive-keys.js';
import type { DriveStore } from './drive-store.js';
import { INLINED_BYTES_MAX } from './drive-requests.dto.js';
import { invalidRecord } from './invalid-record.js';
import { NodeTurns } from './node-turns.js';
import { counting, keptRevision, type RevisionHead, Revisions } from './revisions.js';
import { type CurrentContent, KEPT_CONTENT_BYTES_MAX, KEPT_MANIFEST_BYTES_MAX } from './stored-node.js';
import { encodeRevision, type RevisionContent, type StoredRevision } from './stored-revision.js';
import { UploadGate } from './upload-gate.js';
import { type OpenUpload, type UploadedParts, Uploads } from './uploads.js';

/** A content that is to become the next one of a file. */
export interface NextContent {
  readonly account: AccountId;
  readonly nodeId: FileId;
  readonly manifest: Uint8Array;
  readonly head: ManifestHead;
  /** What the node names now. */
  readonly current: CurrentContent | undefined;
  /** The whole content, sealed; undefined if it was uploaded, or is that of an older revision. */
  readonly content: Uint8Array | undefined;
  /** SHA-256 of each part that was uploaded, in order. */
  readonly digests: readonly Uint8Array[] | undefined;
  /** Whether this upload may become the content. */
  readonly isFor: (upload: OpenUpload) => boolean;
}

/** Has the node name a content. */
type NameIt<Result> = (content: CurrentContent) => Promise<Result>;

/**
 * Writes contents in the order in which a crash loses nothing and shows nothing half: the revision, then the node that names it, and only then the
 * upload goes. A first content that is small lies in the node itself, until the next one comes: before that it gets a document of its own.
 * Only for who has the node's turn.
 */
@Injectable()
export class ContentWriter {
  private readonly logger = new Logger(ContentWriter.name);

  constructor(
    readonly revisions: Revisions,
    readonly uploads: Uploads,
    private readonly gate: UploadGate,
    readonly turns: NodeTurns,
  ) {}

  private get store(): DriveStore {
    return this.revisions.store;
  }

  /** @throws DomainError `parts-missing`, `invalid-record`, `body-too-large`, `quota-exceeded`, `too-busy` */
  async write<Result>(next: NextContent, nameIt: NameIt<Result>, signal: AbortSignal): Promise<Result> {
    const { account, nodeId, head, content } = next;
    const heads = await this.revisions.heads(account, nodeId, signal);
    const older = counting(heads, next.current).find(({ revisionId }) => revisionId === head.revisionId);
    if (content !== undefined) {
      if (older !== undefined) throw invalidRecord('its revision id is that of an older revision');
      await this.requireUnused(head, signal);
      return this.commit(next, { inline: inlined(content) }, { heads, nameIt }, signal);
    }
    if (older !== undefined) return this.commit(next, await this.again(account, older, signal), { heads, nameIt }, signal);
    const id = head.revisionId as FileId;
    return this.gate.alone(id, async () => {
      const upload = await this.uploads.find(id, signal);
      if (upload?.account !== account || upload.nodeId !== nodeId || !next.isFor(upload))
        throw new DomainError('parts-missing', 'there is neither an upload nor an older revision of this id');
      const parts = await this.named(upload, next.digests, signal);
      const result = await this.commit(next, { parts }, { heads, nameIt }, signal);
      await this.forget(upload);
      return result;
    });
  }

  private async commit<Result>(
    next: NextContent,
    content: RevisionContent,
    { heads, nameIt }: { readonly heads: readonly RevisionHead[]; readonly nameIt: NameIt<Result> },
    signal: AbortSignal,
  ): Promise<Result> {
    const { account, manifest, head, current } = next;
    // What a commit that was cut short has left under this number: there must be one revision of it when a node comes to name it.
    const left = heads.filter(({ number }) => number >= head.revision);
    if (left.length > 0 && current === undefined) await this.requireNew(next, signal);
    for (const { id } of left) await this.store.removeIfThere(account, { id }, signal);
    const { revision } = head;
    const stored = { revision, revisionId: head.revisionId as FileId, manifest, createdAt: Date.now(), content };
    const named = namedBy(stored);
    if (current === undefined && fitsNode(named, content))
      return nameIt({ ...named, kept: { bytes: content.inline, createdAt: stored.createdAt } });
    const written: FileId[] = [];
    try {
      const former = current && keptRevision(current);
      // It is there already if the commit before this one was cut short.
      const isThere = heads.some(({ number, revisionId }) => number === former?.number && revisionId === former.revisionId);
      if (former !== undefined && !isThere) written.push(await this.put(next, former.stored, movedRevisionKey, signal));
      written.push(await this.put(next, stored, revisionKey, signal));
      return await nameIt(named);
    } catch (error) {
      await this.takeBack({ account, written }, error);
      throw error;
    }
  }

  /** Gives a revision a document of its own. @returns the id of that */
  private async put(
    { account, nodeId }: Pick<NextContent, 'account' | 'nodeId'>,
    revision: StoredRevision,
    keyOf: typeof revisionKey,
    signal: AbortSignal,
  ): Promise<FileId> {
    const key = keyOf(nodeId, revision.revision, revision.revisionId);
    return (await this.store.create(account, { key, bytes: encodeRevision(revision) }, signal)).id;
  }

  /** Only if it is certain that no node names it. Anything else is found by the sweep, or by the next commit. */
  private async takeBack(
    { account, written }: { readonly account: AccountId; readonly written: readonly FileId[] },
    error: unknown,
  ): Promise<void> {
    if (!CERTAIN.has(errorCode(error))) return;
    try {
      for (const id of written) await this.store.removeIfThere(account, { id }, AbortSignal.timeout(TAKE_BACK_MS));
    } catch (cause) {
      this.logger.warn({ err: cause }, 'a revision that no node names is left to the sweep');
    }
  }

  /** An upload that was committed. That it is still there does no harm: it counts no more, and the sweep removes it. */
  private async forget({ account, id }: OpenUpload): Promise<void> {
    try {
      await this.store.removeIfThere(account, { id }, AbortSignal.timeout(TAKE_BACK_MS));
    } catch (cause) {
      this.logger.warn({ err: cause }, 'an upload that was committed is left to the sweep');
    }
  }

  private async again(
    account: AccountId,
    older: ReturnType<typeof counting>[number],
    signal: AbortSignal,
  ): Promise<RevisionContent> {
    const read = await this.revisions.read(account, older, signal);
    if (read === undefined) throw new DomainError('parts-missing', 'the older revision is not there any more');
    return read.content;
  }

  /** The parts that were uploaded, if they are those that the caller names; what else was sent goes. */
  private async named(
    upload: OpenUpload,
    digests: readonly Uint8Array[] | undefined,
    signal: AbortSignal,
  ): Promise<UploadedParts['parts']> {
    if (digests === undefined) throw new DomainError('parts-missing', 'say which parts: digests is missing');
    const { parts, superseded } = await this.uploads.parts(upload, signal);
    const named = parts.slice(0, digests.length);
    digests.forEach((digest, part) => {
      const stored = named[part];
      if (stored?.part !== part || !isSame(stored.digest, digest))
        throw new DomainError('parts-missing', `part ${part} was not uploaded, or is another one`);
    });
    const { account } = upload;
    const surplus = [...superseded, ...parts.slice(digests.length).map(({ id }) => id)];
    for (const id of surplus) await this.store.removeIfThere(account, { id }, signal);
    return named;
  }

  /** A first content that is sent again after its file was made would take that for its own remains. */
  private async requireNew({ nodeId }: NextContent, signal: AbortSignal): Promise<void> {
    if ((await this.store.find(nodeId, signal)) === undefined) return;
    throw new DomainError('name-taken', 'the file is there already');
  }

  /** An id that an upload has would make its parts look like those of this revision. */
  private async requireUnused({ revisionId }: ManifestHead, signal: AbortSignal): Promise<void> {
    if ((await this.store.find(revisionId as FileId, signal)) === undefined) return;
    throw invalidRecord('its revision id is that of something else');
  }
}

/** Time to remove what is not needed any more. The signal of the request is of no use then. */
const TAKE_BACK_MS = 30_000;
/** What a compare-and-set says that has changed nothing. */
const CERTAIN: ReadonlySet<string | undefined> = new Set([
  'precondition-failed',
  'document-not-found',
  'document-exists',
  'node-not-found',
  'name-taken',
  'quota-exceeded',
  'body-too-large',
]);

function inlined(content: Uint8Array): Uint8Array {
  if (content.length <= INLINED_BYTES_MAX) return content;
  throw new DomainError('body-too-large', `a content in a manifest may have at most ${INLINED_BYTES_MAX} bytes`);
}

/** What a node says of its content. */
function namedBy({ revision, revisionId, manifest, content }: StoredRevision): CurrentContent {
  return {
    revision,
    revisionId,
    manifest: manifest.length > KEPT_MANIFEST_BYTES_MAX ? undefined : manifest,
    manifestHash: hash('sha256', manifest, 'buffer'),
    isInlined: 'inline' in content,
  };
}

/** Whether a first content can lie in the node: it is read whenever the node is, as for a list. */
function fitsNode(
  { manifest }: CurrentContent,
  content: RevisionContent,
): content is Extract<RevisionContent, { inline: unknown }> {
  return manifest !== undefined && 'inline' in content && content.inline.length <= KEPT_CONTENT_BYTES_MAX;
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}
