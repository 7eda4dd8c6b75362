import { Injectable } from '@nestjs/common';
import type { AccountId } from '../auth/account.js';
import type { FileId, VersionId } from '../common/ids.js';
import { Turns } from '../common/turns.js';
import type { StoredDocument } from '../documents/document-store.js';
import { readGrantHead } from '../sdk/grant.js';
import { readWritersHead } from '../sdk/writers.js';
import { sharingKey } from './drive-keys.js';
import { DriveStore } from './drive-store.js';
import type { NodeSharing } from './sharing-lookup.js';
import { decodeSharing, encodeSharing, type StoredSharing } from './stored-sharing.js';

/** Of what is remembered, about. */
const KNOWN_BYTES_MAX = 16 * 1024 * 1024;
/** Of a grant whose recipient and right alone are remembered. */
const GRANT_BYTES = 200;

/** How a node is shared, as it is kept. */
export interface FoundSharing extends StoredSharing {
  readonly document: StoredDocument;
}

interface Known {
  readonly revision: VersionId;
  readonly sharing: NodeSharing;
  readonly bytes: number;
}

/** The documents that say how nodes are shared. */
@Injectable()
export class SharingDocuments {
  /** In the order of their last use. What is remembered counts only while the index names the same revision, so nobody keeps a right by it. */
  private readonly known = new Map<FileId, Known>();
  private knownBytes = 0;
  private readonly turns = new Turns<FileId>();

  constructor(private readonly store: DriveStore) {}

  /** Changes of how one node is shared, and of what follows from it, one after the other. */
  inTurn<Result>(nodeId: FileId, work: () => Promise<Result>): Promise<Result> {
    return this.turns.take(nodeId, work);
  }

  /** What is asked for each folder above a node: one look into the index, and nearly never into the nodes. */
  async of(account: AccountId, nodeId: FileId, signal: AbortSignal): Promise<NodeSharing | undefined> {
    const query = { prefix: sharingKey(nodeId), limit: 1 };
    const [head] = (await this.store.heads(account, query, signal)).heads;
    if (head === undefined) return undefined;
    const known = this.known.get(head.id);
    if (known?.revision === head.revision) {
      this.known.delete(head.id);
      this.known.set(head.id, known);
      return known.sharing;
    }
    const found = await this.read(account, nodeId, signal);
    return found && this.keep(found);
  }

  async read(account: AccountId, nodeId: FileId, signal: AbortSignal): Promise<FoundSharing | undefined> {
    const document = await this.store.get(account, sharingKey(nodeId), signal);
    return document && { ...decodeSharing(document.bytes), document };
  }

  /**
   * @param before what it replaces; undefined: nothing
   * @throws DomainError `document-exists`, `precondition-failed`, `document-not-found`, `quota-exceeded`
   */
  write(
    {
      account,
      nodeId,
      before,
    }: { readonly account: AccountId; readonly nodeId: FileId; readonly before: StoredDocument | undefined },
    sharing: StoredSharing,
    signal: AbortSignal,
  ): Promise<StoredDocument> {
    const bytes = encodeSharing(sharing);
    if (before === undefined) return this.store.create(account, { key: sharingKey(nodeId), bytes }, signal);
    return this.store.replace(account, before.id, { bytes, expected: before.revision }, signal);
  }

  private keep({ writers, grants, document: { id, revision } }: FoundSharing): NodeSharing {
    const list = readWritersHead(writers);
    const rights = grants.map(readGrantHead).map((head) => [head.recipientId as AccountId, head.rights] as const);
    const sharing = { writers, revision: list.revision, entries: list.entries, grants: new Map(rights) };
    this.forget(id);
    const bytes = 2 * writers.length + GRANT_BYTES * (grants.length + 1);
    this.known.set(id, { revision, sharing, bytes });
    this.knownBytes += bytes;
    for (const oldest of this.known.keys()) {
      if (this.knownBytes <= KNOWN_BYTES_MAX) break;
      this.forget(oldest);
    }
    return sharing;
  }

  private forget(id: FileId): void {
    this.knownBytes -= this.known.get(id)?.bytes ?? 0;
    this.known.delete(id);
  }
}
