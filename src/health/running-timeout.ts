const STEP_MS = 50;
/** A step that took longer than this was the fault of this process, whose event loop stood still: the rest of it does not count. */
const STEP_MS_MAX = 100;

/**
 * Aborts its signal after a time during which this process was able to hear an answer. With `AbortSignal.timeout` a stalled event loop
 * would find the timer expired and the answer, which came long ago, still unread.
 */
export class RunningTimeout {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private left: number;
  private last = performance.now();

  constructor(ms: number) {
    this.left = ms;
    this.timer = setInterval(() => this.step(), Math.min(STEP_MS, ms));
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  clear(): void {
    clearInterval(this.timer);
  }

  private step(): void {
    const now = performance.now();
    this.left -= Math.min(STEP_MS_MAX, now - this.last);
    this.last = now;
    if (this.left > 0) return;
    this.clear();
    this.controller.abort(new DOMException('the time is over', 'TimeoutError'));
  }
}
