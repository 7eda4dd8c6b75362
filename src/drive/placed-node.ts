import type { AccountId } from '../auth/account.js';
import type { StoredDocument } from '../documents/document-store.js';

/** A node, and in whose tree it lies. */
export interface PlacedNode {
  readonly account: AccountId;
  readonly document: StoredDocument;
}
