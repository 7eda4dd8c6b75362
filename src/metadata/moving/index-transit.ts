import { DomainError } from '../../common/errors.js';

/** What keeps an index. */
export type Engine = 'embedded' | 'postgres';

/**
 * A mark in an index that is not in use, or not yet: `arriving` comes from the other engine and is not whole, `moved` went there and is never
 * changed again. The id is that of the move, the same on both sides.
 */
export interface IndexTransit {
  readonly state: 'arriving' | 'moved';
  readonly engine: Engine;
  readonly id: string;
}

/** For what an index is opened: to serve, or to be moved away, or to be filled from another engine by a move with an id. */
export type OpeningPurpose =
  | { readonly kind: 'use' | 'leave' }
  | { readonly kind: 'arrive'; readonly from: Engine; readonly id: string; readonly isCommitted: boolean };

export const TO_USE: OpeningPurpose = { kind: 'use' };

const NAMES: Readonly<Record<Engine, string>> = { embedded: 'the embedded index', postgres: 'PostgreSQL' };

export function nameOf(engine: Engine): string {
  return NAMES[engine];
}

export function commandOf(from: Engine, to: Engine): string {
  return `dcloud metadata migrate --from ${from} --to ${to}`;
}

/**
 * The mark that an index is to have while it is open.
 * @param found its mark; undefined: none
 * @param isThere false if the index is just being made
 * @throws DomainError `index-moved`, `index-half-moved`, `migration-refused`
 */
export function transitFor(
  purpose: OpeningPurpose,
  found: IndexTransit | undefined,
  { engine: here, isThere }: { readonly engine: Engine; readonly isThere: boolean },
): IndexTransit | undefined {
  if (purpose.kind === 'arrive') return arrivalOf(purpose, found, { here, isThere });
  if (found?.state === 'arriving') {
    const command = commandOf(found.engine, here);
    const detail = `this index is only half moved from ${nameOf(found.engine)}, and is not to be used: "${command}" goes on with it`;
    throw new DomainError('index-half-moved', detail);
  }
  if (found !== undefined && purpose.kind === 'use') throw movedError(here, found.engine);
  return found;
}

export function movedError(from: Engine, to: Engine): DomainError {
  const detail = `this index was moved to ${nameOf(to)} and is old by now: set metadata.driver to "${to}"; "${commandOf(to, from)}" moves it back`;
  return new DomainError('index-moved', detail);
}

function arrivalOf(
  { from, id, isCommitted }: Extract<OpeningPurpose, { kind: 'arrive' }>,
  found: IndexTransit | undefined,
  { here, isThere }: { readonly here: Engine; readonly isThere: boolean },
): IndexTransit {
  if (isCommitted) {
    // Nothing but what this move brought here may be put in the place of what it left behind.
    if (found?.state === 'arriving' && found.id === id) return found;
    throw movedError(from, here);
  }
  if (isThere && found === undefined) {
    const detail = `there is an index in ${nameOf(here)} already, and it is not one that was moved away: nothing is put in its place`;
    throw new DomainError('migration-refused', detail);
  }
  return found?.state === 'arriving' && found.engine === from ? found : { state: 'arriving', engine: from, id };
}
