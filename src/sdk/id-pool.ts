import { within } from '../common/within.js';

/** The first request asks for few, since most callers need few; the next ones for more. */
const COUNT_FIRST = 8;
const COUNT_MAX = 512;
const GROWTH = 8;

/** Ids for new nodes, fetched many at a time: thousands of small files cost few requests for ids. */
export class IdPool {
  private ids: string[] = [];
  private count = COUNT_FIRST;
  private coming: Promise<void> | undefined;

  /** @param fetchIds asks the server for so many */
  constructor(private readonly fetchIds: (count: number) => Promise<readonly string[]>) {}

  /** An id that nobody else was given. Whoever is aborted leaves the others what was asked for. */
  async take(signal: AbortSignal): Promise<string> {
    for (;;) {
      const id = this.ids.pop();
      if (id !== undefined) return id;
      this.coming ??= this.refill();
      await within(signal, this.coming);
    }
  }

  /** The server has forgotten which ids it gave out: those that are left are of no use. */
  forget(): void {
    this.ids = [];
  }

  private async refill(): Promise<void> {
    try {
      this.ids.push(...(await this.fetchIds(this.count)));
      this.count = Math.min(COUNT_MAX, this.count * GROWTH);
    } finally {
      this.coming = undefined;
    }
  }
}
