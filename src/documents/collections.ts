import { errorCode } from '../common/errors.js';
import type { FileId } from '../common/ids.js';
import type { Collection, DocumentQuery, DocumentStore, StoredDocument } from './document-store.js';

/** Documents that are read at once. */
const PAGE = 100;

/**
 * All documents of a collection whose keys begin with the prefix, in the order of their keys, in pages read as they are needed.
 * @param signalOf the signal of each page
 */
export async function* documentsIn(
  documents: DocumentStore,
  { collection, prefix }: { readonly collection: Collection } & Pick<DocumentQuery, 'prefix'>,
  signalOf: () => AbortSignal,
): AsyncGenerator<StoredDocument, void, undefined> {
  let cursor: Uint8Array | undefined;
  do {
    const page = await documents.list(collection, { prefix, limit: PAGE, ...(cursor && { cursor }) }, signalOf());
    yield* page.documents;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}

/** Removes a document, unless somebody else has. */
export async function removeIfThere(
  documents: DocumentStore,
  collection: Collection,
  id: FileId,
  signal: AbortSignal,
): Promise<void> {
  try {
    await documents.remove(collection, id, undefined, signal);
  } catch (error) {
    if (errorCode(error) !== 'document-not-found') throw error;
  }
}
