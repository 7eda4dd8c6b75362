import { Gatherer } from '../../common/gatherer.js';
import { SENT_BYTES_LEAST } from '../../common/release.js';
import { isInBackground } from '../background-work.js';

/** What travels together is to go out in one piece, for which the body of a request must not be longer. */
const TOGETHER_BYTES_MAX = SENT_BYTES_LEAST;
/** A longer call has a request of its own: to spare that would be worth little, and make the others late. */
const SMALL_BYTES_MAX = TOGETHER_BYTES_MAX / 4;
/** About what a shard or a record takes besides its bytes. */
export const ITEM_BYTES = 64;

/**
 * Calls of one kind to a peer. Small ones that come while others are under way share a request: that costs both processes as much as all else that
 * such a call makes them do (docs/adr/0031). What somebody waits for never travels with what is done in the background.
 */
export class SmallCalls<Call, Answer> {
  private readonly front: Gatherer<Call, Answer>;
  private readonly background: Gatherer<Call, Answer>;

  /**
   * @param weightOf bytes of a call and of its answer, about
   * @param send makes calls in one request; what it throws, it throws for all of them
   */
  constructor(
    private readonly weightOf: (call: Call) => number,
    private readonly send: (calls: readonly Call[], signal: AbortSignal) => Promise<readonly Answer[]>,
  ) {
    const parts = { send, weightOf, weightMax: TOGETHER_BYTES_MAX };
    this.front = new Gatherer(parts);
    this.background = new Gatherer(parts);
  }

  async run(call: Call, signal: AbortSignal): Promise<Answer> {
    if (this.weightOf(call) <= SMALL_BYTES_MAX) return (isInBackground() ? this.background : this.front).run(call, signal);
    const [answer] = await this.send([call], signal);
    return answer as Answer;
  }
}

/** Makes calls for lists of items as one call for all items, and cuts its answers apart. */
export function asOneList<Item, Answer>(
  make: (items: readonly Item[], signal: AbortSignal) => Promise<readonly Answer[]>,
): (calls: readonly (readonly Item[])[], signal: AbortSignal) => Promise<readonly (readonly Answer[])[]> {
  return async (calls, signal) => {
    const answers = await make(calls.flat(), signal);
    let at = 0;
    return calls.map(({ length }) => answers.slice(at, (at += length)));
  };
}
