import { hash } from 'node:crypto';
import { DomainError, errorCode } from '../common/errors.js';
import type { FileId } from '../common/ids.js';
import { checkChange, etagOf } from '../http/conditional.js';
import type { StoredDocument } from '../documents/document-store.js';
import { isEqual } from '../sdk/bytes.js';
import type { NodeHead } from '../sdk/drive-record.js';
import { FOLDER_DEPTH_MAX, type ReadNode, type SeenNode } from './drive-reach.js';
import type { WritingPlace } from './writer-check.js';

/** What is demanded of each change in a tree, whoever makes it. */

/** @throws DomainError `precondition-required`, `precondition-failed` */
export function requireMatch(ifMatch: string | undefined, { revision }: Pick<StoredDocument, 'revision'>): void {
  if (ifMatch === undefined) throw new DomainError('precondition-required', 'send If-Match with the ETag of what this changes');
  checkChange({ 'if-match': ifMatch }, { etag: etagOf(revision), lastModified: 0 });
}

/** @param before undefined for the first record @throws DomainError `precondition-failed` */
export function requireNext({ revision, previousHash }: NodeHead, before: ReadNode | undefined): void {
  const isNext = revision === (before?.head.revision ?? 0) + 1;
  const past = before === undefined ? new Uint8Array(previousHash.length) : hash('sha256', before.node.record, 'buffer');
  if (!isNext || !isEqual(previousHash, past))
    throw new DomainError('precondition-failed', 'the record does not follow the one that is there');
}

/** Whether a node may lie in a folder, by what both records say. @throws DomainError `folder-changed` */
export function requireFolder({ head: folder }: Pick<ReadNode, 'head'>, { parentGeneration }: NodeHead): void {
  if (folder.kind !== 'folder') throw new DomainError('folder-changed', 'what the record names as its folder is none');
  if (folder.generation !== parentGeneration)
    throw new DomainError('folder-changed', 'the keys of the folder are of another generation by now');
}

/** @param levels of folders, with the one that is to lie in it @throws DomainError `folder-changed` */
export function requireDepth({ above }: Pick<SeenNode, 'above'>, levels: number): void {
  if (above.length + 1 + levels > FOLDER_DEPTH_MAX)
    throw new DomainError('folder-changed', `folders lie at most ${FOLDER_DEPTH_MAX} deep`);
}

/** The place of what lies in a folder. */
export function placeIn(folder: Pick<SeenNode, 'account' | 'id' | 'sharing' | 'above'>): WritingPlace {
  return { account: folder.account, way: [folder, ...folder.above] };
}

/** Says of a node what the documents say of its document. */
export async function asNode<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    const code = errorCode(cause);
    if (code === 'document-exists') throw new DomainError('name-taken', 'the folder has a node with this name tag', { cause });
    if (code === 'document-not-found') throw new DomainError('node-not-found', 'the node is not there any more', { cause });
    throw cause;
  }
}

export function idOf(id: string): FileId {
  return id as FileId;
}
