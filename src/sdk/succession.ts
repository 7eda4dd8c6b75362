import { isEqual, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';
import type { WriterRef } from './writers.js';

/** In the place of the hash of a state before, where there is none. */
export const NO_HASH: Bytes = new Uint8Array(32);

/** What is remembered of the newest state of something that was seen: a node record, the content of a file, a list of writers. */
export interface Seen {
  readonly revision: number;
  readonly hash: Bytes;
  /** Of the node's key, of a node record and a content: nobody goes back to a key that somebody was meant to lose. */
  readonly generation?: number;
  /** Of a node record: the folder, and which of its keys wraps the node's. */
  readonly parentId?: string;
  readonly parentGeneration?: number;
  /** Of a node record and a content: who writes does so by the newest list of writers that it knows. */
  readonly writer?: WriterRef;
}

/**
 * A server may withhold what is new, but never take back what was shown.
 * @param seen the newest state that this device knows, if any
 * @throws SdkError `rolled-back` if the state is older, another one of the same revision, the next one of another past; under keys of an
 *   earlier generation, which whoever lost the right to read still has; or by an earlier list, by which whoever lost the right to write could
 */
export function assertSucceeds(seen: Seen | undefined, state: Seen & { readonly previousHash: Bytes }): void {
  if (seen === undefined) return;
  const isOlder = state.revision < seen.revision;
  const isFork = state.revision === seen.revision && !isEqual(state.hash, seen.hash);
  const isOfOtherPast = state.revision === seen.revision + 1 && !isEqual(state.previousHash, seen.hash);
  const isDatedBack = isUnderOlderKeys(seen, state) || isByOlderList(seen, state);
  if (isOlder || isFork || isOfOtherPast || isDatedBack) throw new SdkError('rolled-back');
}

function isUnderOlderKeys(seen: Seen, state: Seen): boolean {
  const isSameFolder = seen.parentId === state.parentId;
  const isOlder = (state.generation ?? 0) < (seen.generation ?? 0);
  return isOlder || (isSameFolder && (state.parentGeneration ?? 0) < (seen.parentGeneration ?? 0));
}

function isByOlderList({ writer: before }: Seen, { writer: after }: Seen): boolean {
  const [known, named] = [before?.list, after?.list];
  if (known === undefined || named === undefined) return false;
  return known.nodeId === named.nodeId && named.revision < known.revision;
}
