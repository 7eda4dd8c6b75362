import { isEqual, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';

/** What is remembered of the newest state of something that was seen: a node record, the content of a file, a list of writers. */
export interface Seen {
  readonly revision: number;
  readonly hash: Bytes;
}

/**
 * A server may withhold what is new, but never take back what was shown.
 * @param seen the newest state that this device knows, if any
 * @throws SdkError `rolled-back` if the state is older, another one of the same revision, or the next one of another past
 */
export function assertSucceeds(seen: Seen | undefined, state: Seen & { readonly previousHash: Bytes }): void {
  if (seen === undefined) return;
  const isOlder = state.revision < seen.revision;
  const isFork = state.revision === seen.revision && !isEqual(state.hash, seen.hash);
  const isOfOtherPast = state.revision === seen.revision + 1 && !isEqual(state.previousHash, seen.hash);
  if (isOlder || isFork || isOfOtherPast) throw new SdkError('rolled-back');
}
