import { setImmediate as nextTurn } from 'node:timers/promises';

/** Turns that a walk lets pass in a row while pages are made. */
const PASSED_MAX = 32;

/**
 * Who reads much takes turns of the event loop with all others. A page, for which somebody waits, takes one for each of its parts; a walk in the
 * background lets it go first, or the page would wait for as many parts of the walk as it has itself.
 */
export class ReadTurns {
  private pages = 0;

  async page<Page>(make: () => Promise<Page>): Promise<Page> {
    this.pages += 1;
    try {
      return await make();
    } finally {
      this.pages -= 1;
    }
  }

  /** Resolves when a walk may go on. */
  async afterPages(): Promise<void> {
    for (let passed = 0; passed <= PASSED_MAX; passed += 1) {
      await nextTurn();
      if (this.pages === 0) return;
    }
  }
}
