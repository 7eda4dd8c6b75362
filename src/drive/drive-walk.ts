import type { AccountId } from '../auth/account.js';
import { errorCode } from '../common/errors.js';
import type { FileId, VersionId } from '../common/ids.js';
import type { DocumentHead } from '../documents/document-store.js';
import type { DriveStore } from './drive-store.js';

const PAGE = 500;

/** What of a drive has a key that begins with the prefix, as the index alone tells it. */
export async function* headsIn(
  store: DriveStore,
  { account, prefix }: { readonly account: AccountId; readonly prefix: string },
  signal: AbortSignal,
): AsyncGenerator<DocumentHead, void, undefined> {
  let cursor: Uint8Array | undefined;
  do {
    const page = await store.heads(account, { prefix, limit: PAGE, ...(cursor && { cursor }) }, signal);
    yield* page.heads;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}

/**
 * Removes something of a drive, unless it is gone.
 * @param expected the revision that it must have; undefined: any
 * @returns whether it is gone; if not, it has another revision by now
 */
export async function removeFrom(
  store: DriveStore,
  { account, id, expected }: { readonly account: AccountId; readonly id: FileId; readonly expected?: VersionId },
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await store.remove(account, id, expected, signal);
    return true;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'document-not-found') return true;
    if (code === 'precondition-failed') return false;
    throw error;
  }
}
