import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DomainError } from '../common/errors.js';
import { driveOf, type FileId, type VersionId } from '../common/ids.js';
import { FileSender } from '../files/file-sender.service.js';
import type { Exchange } from '../http/exchange.js';
import { principalOf, type Principal } from '../http/principal.js';
import { DriveReach, type SeenNode } from './drive-reach.js';
import { counting, Revisions } from './revisions.js';
import type { StoredRevision } from './stored-revision.js';

/** Bytes of the manifests of one page: each may have 2 MiB. */
const PAGE_BYTES_MAX = 4 * 1024 * 1024;

/** A page of the revisions of a file, the newest first. */
export interface RevisionPage {
  readonly revisions: readonly StoredRevision[];
  /** The number behind which it goes on; undefined on the last page. */
  readonly nextBefore: number | undefined;
}

/** Which part of which content. */
export interface PartTarget {
  readonly nodeId: FileId;
  readonly revision: number | 'latest';
  readonly part: number;
}

/** Shows the contents that a file has and had, to those who may see it. */
@Injectable()
export class RevisionReads {
  constructor(
    private readonly reach: DriveReach,
    private readonly revisions: Revisions,
    private readonly sender: FileSender,
  ) {}

  /** @param before only those below this number @throws DomainError `node-not-found` */
  async list(
    principal: Principal,
    nodeId: FileId,
    { limit, before = Infinity }: { readonly limit: number; readonly before?: number | undefined },
    signal: AbortSignal,
  ): Promise<RevisionPage> {
    const seen = await this.reach.see(principal, nodeId, signal);
    const older = (await this.counting(seen, signal)).filter(({ number }) => number < before).reverse();
    const revisions: StoredRevision[] = [];
    let bytes = 0;
    for (const [index, head] of older.entries()) {
      if (revisions.length === limit || bytes >= PAGE_BYTES_MAX) return { revisions, nextBefore: older[index - 1]?.number };
      const read = await this.revisions.read(seen.account, head, signal);
      if (read === undefined) continue; // removed since
      revisions.push(read);
      bytes += read.manifest.length;
    }
    return { revisions, nextBefore: undefined };
  }

  /** @throws DomainError `node-not-found`, `revision-not-found` */
  async find(
    principal: Principal,
    { nodeId, revision }: Omit<PartTarget, 'part'>,
    signal: AbortSignal,
  ): Promise<{ readonly seen: SeenNode; readonly read: StoredRevision }> {
    const seen = await this.reach.see(principal, nodeId, signal);
    const number = revision === 'latest' ? seen.node.content?.revision : revision;
    const head = (await this.counting(seen, signal)).findLast((each) => each.number === number);
    const read = head && (await this.revisions.read(seen.account, head, signal));
    if (read === undefined) throw new DomainError('revision-not-found', 'the node has no such revision');
    return { seen, read };
  }

  /** Answers with the bytes of a part, or the range of them that was asked for. @throws DomainError as {@link find} */
  async send(exchange: Exchange, target: PartTarget): Promise<void> {
    const { request, signal } = exchange;
    const { seen, read } = await this.find(principalOf(request), target, signal);
    const { content, createdAt } = read;
    const parts = 'parts' in content ? content.parts.length : 1;
    if (target.part >= parts) throw new DomainError('revision-not-found', `the content has ${parts} parts`);
    if ('inline' in content) {
      const { inline: bytes } = content;
      // The id of a revision stands for its bytes, wherever they lie by now.
      const version = { versionId: read.revisionId as string as VersionId, updatedAt: createdAt };
      this.sender.sendBytes({ bytes, digest: hash('sha256', bytes, 'buffer'), ...version }, exchange);
      return;
    }
    const { id } = content.parts[target.part] as { readonly id: FileId };
    await this.sender.sendUnnamed({ id, owner: driveOf(seen.account) }, exchange);
  }

  private async counting({ account, id, node }: SeenNode, signal: AbortSignal): Promise<ReturnType<typeof counting>> {
    return counting(await this.revisions.heads(account, id, signal), node.content);
  }
}
