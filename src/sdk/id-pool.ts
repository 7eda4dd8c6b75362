import { within } from '../common/within.js';

/** The first request asks for few, since most callers need few; the next ones for more. */
const COUNT_FIRST = 8;
const COUNT_MAX = 512;
const GROWTH = 8;
/** When fewer than this are left of many, the next ones are fetched before somebody has to wait for them. */
const COUNT_LOW = 128;

/** Ids for new nodes, fetched many at a time: thousands of small files cost few requests for ids. */
export class IdPool {
  private ids: string[] = [];
  /** How many came last. */
  private count = 0;
  private coming: Promise<void> | undefined;

  /** @param fetchIds asks the server for so many */
  constructor(private readonly fetchIds: (count: number) => Promise<readonly string[]>) {}

  /** An id that nobody else was given. Whoever is aborted leaves the others what was asked for. */
  async take(signal: AbortSignal): Promise<string> {
    for (;;) {
      const id = this.ids.pop();
      const isLow = this.ids.length < COUNT_LOW && this.count === COUNT_MAX;
      if (id === undefined || isLow) this.coming ??= this.refill();
      if (id !== undefined) return id;
      await within(signal, this.coming as Promise<void>);
    }
  }

  /** The server has forgotten which ids it gave out: those that are left are of no use. */
  forget(): void {
    this.ids = [];
  }

  private refill(): Promise<void> {
    const coming = this.fetch();
    coming.catch(() => undefined); // whoever waits hears of it; perhaps nobody does
    return coming;
  }

  private async fetch(): Promise<void> {
    try {
      const count = this.count === 0 ? COUNT_FIRST : Math.min(COUNT_MAX, this.count * GROWTH);
      this.ids.push(...(await this.fetchIds(count)));
      this.count = count;
    } finally {
      this.coming = undefined;
    }
  }
}
