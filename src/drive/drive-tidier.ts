import { Injectable } from '@nestjs/common';
import type { AccountId } from '../auth/account.js';
import type { FileId } from '../common/ids.js';
import { mapOrdered } from '../common/map-ordered.js';
import type { DocumentHead } from '../documents/document-store.js';
import { DriveAges } from './drive-ages.js';
import { allPartsOf, linksOf, readPartKey, revisionsOf, sharingKey, uploadsOf } from './drive-keys.js';
import { isNode } from './drive-reach.js';
import type { DriveStore } from './drive-store.js';
import { NodeTurns } from './node-turns.js';
import { committed, REVISIONS_KEPT, type RevisionHead, type Revisions } from './revisions.js';
import { type CurrentContent, decodeNode } from './stored-node.js';
import { UploadGate } from './upload-gate.js';
import { Uploads } from './uploads.js';

/** Things that are removed at once. */
const WIDTH = 8;

/** Which node. */
interface NodeIds {
  readonly account: AccountId;
  readonly nodeId: FileId;
}

/** What there is of a node besides its document. */
interface Belongings {
  readonly parts: readonly DocumentHead[];
  readonly uploads: readonly DocumentHead[];
  readonly revisions: readonly RevisionHead[];
  /** What the node names; undefined also if there is no node. */
  readonly current: CurrentContent | undefined;
}

/**
 * Removes what belongs to a node and that nobody needs. In the turn of the node, so that no commit is under way, and never what an upload or a
 * revision has: each is decided by what the index says in that turn.
 */
@Injectable()
export class DriveTidier {
  constructor(
    readonly turns: NodeTurns,
    private readonly gate: UploadGate,
    private readonly uploads: Uploads,
    private readonly ages: DriveAges,
  ) {}

  private get revisions(): Revisions {
    return this.uploads.revisions;
  }

  private get store(): DriveStore {
    return this.revisions.store;
  }

  /**
   * Removes what commits and uploads have left behind, uploads that have expired, and revisions beyond those that are kept.
   * @returns how many things
   */
  tidy(ids: NodeIds, signal: AbortSignal): Promise<number> {
    return this.turns.take(ids.nodeId, async () => {
      const found = await this.belongings(ids, signal);
      const counting = new Set(committed(found.revisions, found.current).map(({ id }) => id));
      const { trimmed, left } = this.superfluous(found, counting);
      const gone = new Set([...trimmed, ...left].map(({ id }) => id));
      const live = new Set(found.revisions.filter(({ id }) => !gone.has(id)).map(({ revisionId }) => revisionId));
      const committedIds = new Set(found.revisions.filter(({ id }) => counting.has(id)).map(({ revisionId }) => revisionId));
      let removed = await this.tidyUploads({ ...ids, found, committedIds, live }, signal);
      removed += await this.removeAll(ids.account, [...trimmed, ...left], signal);
      const trimmedIds = new Set(trimmed.map(({ revisionId }) => revisionId));
      const parts = found.parts.filter((part) => {
        const { revisionId } = readPartKey(part.key);
        return !live.has(revisionId) && (trimmedIds.has(revisionId) || this.ages.isOld(part));
      });
      removed += await this.removeAll(ids.account, parts, signal);
      return removed;
    });
  }

  /** Removes all that belongs to a node which is gone. @returns how many things */
  clear({ account, nodeId }: NodeIds, signal: AbortSignal): Promise<number> {
    return this.turns.take(nodeId, async () => {
      if (await this.store.has(account, nodeId, signal)) return 0;
      let removed = 0;
      for (const { id } of await this.uploads.of(account, nodeId, signal)) {
        await this.gate.alone(id, () => this.uploads.discard({ account, nodeId, id }, signal));
        removed += 1;
      }
      for (const prefix of [revisionsOf(nodeId), allPartsOf(nodeId), linksOf(nodeId)])
        removed += await this.removeAll(account, this.store.headsIn(account, prefix, signal), signal);
      const sharing = await this.store.get(account, sharingKey(nodeId), signal);
      return removed + (await this.removeAll(account, sharing === undefined ? [] : [sharing], signal));
    });
  }

  /** Parts are listed first: what has one had an upload then, and only a commit or the end of the upload takes that away. */
  private async belongings({ account, nodeId }: NodeIds, signal: AbortSignal): Promise<Belongings> {
    const parts = await Array.fromAsync(this.store.headsIn(account, allPartsOf(nodeId), signal));
    const uploads = await Array.fromAsync(this.store.headsIn(account, uploadsOf(nodeId), signal));
    const revisions = await this.revisions.heads(account, nodeId, signal);
    const node = await this.store.find(nodeId, signal);
    const isThere = node?.account === account && isNode(node.document);
    const current = isThere ? decodeNode(node.document.bytes).content : undefined;
    return { parts, uploads, revisions, current };
  }

  /** Revisions that are too many, and those of commits that were cut short. */
  private superfluous(
    { revisions, current }: Belongings,
    counting: ReadonlySet<FileId>,
  ): Record<'trimmed' | 'left', readonly RevisionHead[]> {
    const oldest = (current?.revision ?? 0) - REVISIONS_KEPT;
    const others = revisions.filter(({ id }) => !counting.has(id));
    return {
      trimmed: others.filter(({ number }) => number <= oldest),
      left: others.filter((head) => head.number > oldest && this.ages.isOld(head)),
    };
  }

  /** What is kept of uploads is added to what is live. */
  private async tidyUploads(
    {
      account,
      nodeId,
      found,
      committedIds,
      live,
    }: NodeIds & { readonly found: Belongings; readonly committedIds: ReadonlySet<FileId>; readonly live: Set<FileId> },
    signal: AbortSignal,
  ): Promise<number> {
    let removed = 0;
    for (const upload of found.uploads) {
      if (committedIds.has(upload.id)) {
        removed += await this.removeAll(account, [upload], signal);
      } else if (await this.expire({ account, nodeId, id: upload.id }, signal)) {
        removed += 1;
      } else {
        live.add(upload.id);
      }
    }
    return removed;
  }

  private async expire(upload: NodeIds & { readonly id: FileId }, signal: AbortSignal): Promise<boolean> {
    if (this.gate.isBusy(upload.id)) return false;
    return this.gate.alone(upload.id, async () => {
      const { parts } = await this.uploads.parts(upload, signal);
      if (!this.ages.isOver(this.uploads.expiresAt(upload, parts))) return false;
      await this.uploads.discard(upload, signal);
      return true;
    });
  }

  private async removeAll(
    account: AccountId,
    things: AsyncIterable<{ readonly id: FileId }> | Iterable<{ readonly id: FileId }>,
    signal: AbortSignal,
  ): Promise<number> {
    let removed = 0;
    for await (const isGone of mapOrdered(things, WIDTH, ({ id }) => this.store.removeIfThere(account, { id }, signal)))
      if (isGone) removed += 1;
    return removed;
  }
}
