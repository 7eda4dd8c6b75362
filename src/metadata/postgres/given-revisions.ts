import { within } from '../../common/within.js';
import { RevisionClock } from '../revision-clock.js';
import type { IndexCalls } from './index-calls.js';
import { CHECK_TOKEN, RAISE_CEILING, READ_STATE } from './note-statements.js';
import { SharedCheck } from './shared-check.js';
import type { Tenure } from './tenure.js';

const NEVER = new AbortController().signal;

/** Gives revisions out of what is reserved in the database, as long as no other gateway can have begun to give any. */
export class GivenRevisions {
  private calls: IndexCalls | undefined;
  private readonly clock = new RevisionClock(0, async (revision) => this.calls?.change(NEVER, RAISE_CEILING, { revision }));
  private readonly check = new SharedCheck(async () => {
    await this.calls?.change(NEVER, CHECK_TOKEN, {});
  });

  /** Takes up what the database has: another gateway may have given some since this one had the index last. */
  async begin(tenure: Tenure): Promise<void> {
    const { rows } = await tenure.query<{ ceiling: number }>(READ_STATE, {});
    this.clock.seen(rows[0]?.ceiling ?? 0);
  }

  use(calls: IndexCalls): void {
    this.calls = calls;
  }

  /** See {@link RevisionClock.rest}. */
  rest(): Promise<void> {
    return this.clock.rest();
  }

  get reserved(): number {
    return this.clock.reserved;
  }

  seen(revision: number): void {
    this.clock.seen(revision);
  }

  /** @param hold the tenure under way; throws while there is none */
  async next(hold: () => Tenure, signal: AbortSignal): Promise<number> {
    for (;;) {
      const tenure = hold();
      const revision = await within(signal, this.clock.next());
      await within(signal, this.check.run());
      // Between two tenures another gateway may have given higher ones.
      if (hold() === tenure) return revision;
    }
  }
}
