import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Items that come without leaving the event loop, for somebody who may not leave it either: others get a turn after every so many.
 * @param admit is asked before each; what it throws ends them
 */
export async function* inTurns<Item>(
  items: Iterable<Item>,
  ofATurn: number,
  admit: () => void,
): AsyncGenerator<Item, void, undefined> {
  let taken = 0;
  for (const item of items) {
    admit();
    yield item;
    if ((taken += 1) % ofATurn === 0) await nextTurn();
  }
}
