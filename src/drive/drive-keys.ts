import type { AccountId } from '../auth/account.js';
import type { FileId } from '../common/ids.js';

/**
 * The keys under which the documents of a drive lie (docs/drive-protocol.md, "How it is kept"): what belongs together is one range of keys, and
 * what must be there once is one key.
 */

const REVISION_DIGITS = 8;
const ROOT_TAG = 'root';

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

export function revisionKey(node: FileId, revision: number): string {
  return `${revisionsOf(node)}${revision.toString(16).padStart(REVISION_DIGITS, '0')}`;
}

export function revisionsOf(node: FileId): string {
  return `r/${node}/`;
}

/** @param nonce makes the keys of several uploads of one node different; the upload's id is that of its document */
export function uploadKey(node: FileId, nonce: string): string {
  return `${uploadsOf(node)}${nonce}`;
}

export function uploadsOf(node: FileId): string {
  return `u/${node}/`;
}

export function partKey(node: FileId, revisionId: FileId, part: number): string {
  return `${partsOf(node, revisionId)}${String(part)}`;
}

export function partsOf(node: FileId, revisionId: FileId): string {
  return `p/${node}/${revisionId}/`;
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
