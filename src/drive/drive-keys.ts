import type { AccountId } from '../auth/account.js';
import type { FileId } from '../common/ids.js';

/**
 * The keys under which the documents of a drive lie (docs/drive-protocol.md, "How it is kept"): what belongs together is one range of keys, and
 * what must be there once is one key.
 */

const REVISION_DIGITS = 8;
const ROOT_TAG = 'root';
const MOVED = '/moved';

/** A node, by the folder that it lies in and the tag of its name: so no two of a folder can have one name. */
export function nodeKey(parent: FileId, nameTag: Uint8Array): string {
  return `${childrenOf(parent)}${Buffer.from(nameTag).toString('base64url')}`;
}

/** The root, of which an account has one, whatever its name. */
export function rootKey(account: AccountId): string {
  return `${childrenOf(account)}${ROOT_TAG}`;
}

export function childrenOf(parent: FileId): string {
  return `n/${parent}/`;
}

/** @param revisionId of its content; in the key, so that the sweep need not read a revision to know which parts are its */
export function revisionKey(node: FileId, revision: number, revisionId: FileId): string {
  return `${revisionsAt(node, revision)}${revisionId}`;
}

/** The key of a revision that lay in its node before. So the sweep need not read a node to know that its only revision may be there twice. */
export function movedRevisionKey(node: FileId, revision: number, revisionId: FileId): string {
  return `${revisionKey(node, revision, revisionId)}${MOVED}`;
}

export function revisionsAt(node: FileId, revision: number): string {
  return `${revisionsOf(node)}${revision.toString(16).padStart(REVISION_DIGITS, '0')}/`;
}

export function revisionsOf(node: FileId): string {
  return `r/${node}/`;
}

/** What a key of a revision says, and that of a part. */
export function readRevisionKey(key: string): {
  readonly revision: number;
  readonly revisionId: FileId;
  readonly isMoved: boolean;
} {
  const [, , revision = '', revisionId = ''] = key.split('/');
  return { revision: Number.parseInt(revision, 16), revisionId: revisionId as FileId, isMoved: key.endsWith(MOVED) };
}

export function readPartKey(key: string): { readonly revisionId: FileId; readonly part: number; readonly digest: Uint8Array } {
  const [, , revisionId = '', part = '', digest = ''] = key.split('/');
  return { revisionId: revisionId as FileId, part: Number(part), digest: Buffer.from(digest, 'base64url') };
}

/** The node that a document belongs to; of a node, the folder that it lies in. */
export function nodeOfKey(key: string): FileId {
  return (key.split('/', 2)[1] ?? '') as FileId;
}

/** @param nonce makes the keys of several uploads of one node different; the upload's id is that of its document */
export function uploadKey(node: FileId, nonce: string): string {
  return `${uploadsOf(node)}${nonce}`;
}

export function uploadsOf(node: FileId): string {
  return `u/${node}/`;
}

/** @param digest SHA-256 of the part; in the key, so that nobody need read a part to know what it is */
export function partKey(node: FileId, revisionId: FileId, part: number, digest: Uint8Array): string {
  return `${attemptsOf(node, revisionId, part)}${Buffer.from(digest).toString('base64url')}`;
}

/** All that was sent for one part; the newest counts. */
export function attemptsOf(node: FileId, revisionId: FileId, part: number): string {
  return `${partsOf(node, revisionId)}${String(part)}/`;
}

export function partsOf(node: FileId, revisionId: FileId): string {
  return `${allPartsOf(node)}${revisionId}/`;
}

export function allPartsOf(node: FileId): string {
  return `p/${node}/`;
}

export function sharingKey(node: FileId): string {
  return `s/${node}`;
}

export function linkKey(node: FileId, link: FileId): string {
  return `${linksOf(node)}${link}`;
}

export function linksOf(node: FileId): string {
  return `l/${node}/`;
}

export function vaultKey(name: string): string {
  return `v/${name}`;
}
