import { errorCode } from '../common/errors.js';
import type { FileId, VersionId } from '../common/ids.js';
import type { Collection, DocumentHead, DocumentQuery, DocumentStore, StoredDocument } from './document-store.js';

/** Documents that are read at once, and heads, which cost next to nothing. */
const PAGE = 100;
const HEADS_PAGE = 500;

/** Which documents: those of a collection whose keys begin with the prefix. */
export type DocumentRange = { readonly collection: Collection } & Pick<DocumentQuery, 'prefix'>;

/**
 * All documents of a range, in the order of their keys, in pages read as they are needed.
 * @param signalOf the signal of each page
 */
export function documentsIn(
  documents: DocumentStore,
  { collection, prefix }: DocumentRange,
  signalOf: () => AbortSignal,
): AsyncGenerator<StoredDocument, void, undefined> {
  return paged(async (cursor) => {
    const query = { prefix, limit: PAGE, ...cursor };
    const { documents: items, ...more } = await documents.list(collection, query, signalOf());
    return { items, ...more };
  });
}

/** The same, as the index alone tells it. */
export function headsIn(
  documents: DocumentStore,
  { collection, prefix }: DocumentRange,
  signalOf: () => AbortSignal,
): AsyncGenerator<DocumentHead, void, undefined> {
  return paged(async (cursor) => {
    const query = { prefix, limit: HEADS_PAGE, ...cursor };
    const { heads: items, ...more } = await documents.heads(collection, query, signalOf());
    return { items, ...more };
  });
}

/** A document that is to go. */
export interface Removal {
  readonly id: FileId;
  /** The revision that it must have; absent: any. */
  readonly expected?: VersionId | undefined;
}

/** Removes a document, unless somebody else has. @returns whether it is gone; if not, it has another revision by now */
export async function removeIfThere(
  documents: DocumentStore,
  collection: Collection,
  { id, expected }: Removal,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await documents.remove(collection, id, expected, signal);
    return true;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'document-not-found') return true;
    if (code === 'precondition-failed') return false;
    throw error;
  }
}

type Cursor = Pick<DocumentQuery, 'cursor'>;

async function* paged<Item>(
  read: (cursor: Cursor) => Promise<{ readonly items: readonly Item[]; readonly nextCursor?: Uint8Array }>,
): AsyncGenerator<Item, void, undefined> {
  let cursor: Uint8Array | undefined;
  do {
    const page = await read(cursor === undefined ? {} : { cursor });
    yield* page.items;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}
