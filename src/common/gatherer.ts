export interface GathererParts<Call, Answer> {
  /** Makes calls together, and answers them in their order. What it throws, it throws for all of them. */
  readonly send: (calls: readonly Call[], signal: AbortSignal) => Promise<readonly Answer[]>;
  /** About how many bytes it takes to make a call, and to answer it. */
  readonly weightOf: (call: Call) => number;
  /** So many bytes wait for nothing. */
  readonly weightMax: number;
}

interface Caller<Call, Answer> {
  readonly call: Call;
  readonly signal: AbortSignal;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
  readonly onAbort: () => void;
}

const ONCE = { once: true };

/**
 * Makes calls that come while another one is under way together, when that has ended: as a log's group commit does, with no clock and nothing to
 * set. Whoever is alone does not wait; the more come at once, the more travel together.
 */
export class Gatherer<Call, Answer> {
  private waiting: Caller<Call, Answer>[] = [];
  private weight = 0;
  private underWay = 0;

  constructor(private readonly parts: GathererParts<Call, Answer>) {}

  /**
   * Aborted before it has left, a call does not leave any more; afterwards it rejects when those that it travels with have ended, and ends them if
   * none of them is waited for.
   */
  async run(call: Call, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const caller = { call, signal, resolve, reject, onAbort: (): void => this.withdraw(caller) };
    signal.addEventListener('abort', caller.onAbort, ONCE);
    this.waiting.push(caller);
    this.weight += this.parts.weightOf(call);
    if (this.underWay === 0 || this.weight >= this.parts.weightMax) void this.depart();
    return promise;
  }

  private withdraw(caller: Caller<Call, Answer>): void {
    const at = this.waiting.indexOf(caller);
    if (at < 0) return; // it has left: whom it travels with looks after it
    this.waiting.splice(at, 1);
    this.weight -= this.parts.weightOf(caller.call);
    caller.reject(caller.signal.reason);
  }

  private async depart(): Promise<void> {
    const callers = this.waiting;
    this.waiting = [];
    this.weight = 0;
    this.underWay += 1;
    const all = new AbortController();
    let left = callers.length;
    const onAbort = (): void => {
      left -= 1;
      if (left === 0) all.abort(callers[0]?.signal.reason);
    };
    for (const { signal, onAbort: withdraw } of callers) {
      signal.removeEventListener('abort', withdraw);
      signal.addEventListener('abort', onAbort, ONCE);
    }
    try {
      const answers = await this.parts.send(
        callers.map(({ call }) => call),
        all.signal,
      );
      for (const [at, { signal, resolve, reject }] of callers.entries())
        if (signal.aborted) reject(signal.reason);
        else resolve(answers[at] as Answer);
    } catch (error) {
      for (const { signal, reject } of callers) reject(signal.aborted ? signal.reason : error);
    } finally {
      for (const { signal } of callers) signal.removeEventListener('abort', onAbort);
      this.underWay -= 1;
      if (this.underWay === 0 && this.waiting.length > 0) void this.depart();
    }
  }
}
