/** A signal of the caller's together with a time limit that can be put off: for bodies, of which each chunk is a sign of life. */
export class TimeLimit {
  private readonly controller = new AbortController();
  private timer: ReturnType<typeof setTimeout>;
  private readonly onAbort: () => void;

  constructor(
    private readonly caller: AbortSignal,
    private readonly ms: number,
  ) {
    this.timer = setTimeout(this.over, ms);
    this.onAbort = () => this.controller.abort(caller.reason);
    if (caller.aborted) this.onAbort();
    else caller.addEventListener('abort', this.onAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  putOff(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(this.over, this.ms);
  }

  /** Nobody waits: whoever reads takes their own time. */
  pause(): void {
    clearTimeout(this.timer);
  }

  end(): void {
    clearTimeout(this.timer);
    this.caller.removeEventListener('abort', this.onAbort);
  }

  private readonly over = (): void => {
    this.controller.abort(new DOMException('nothing came for too long', 'TimeoutError'));
  };
}

/** The chunks of a body. Time runs only while one is waited for. @param failure what an error of the connection is for the caller */
export async function* idleStream(
  body: ReadableStream<Uint8Array> | null,
  limit: TimeLimit,
  failure: (cause: unknown) => unknown,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (body === null) {
    limit.end();
    return;
  }
  const reader = body.getReader();
  try {
    for (;;) {
      limit.putOff();
      const { done, value } = await reader.read();
      limit.pause();
      if (done) return;
      yield value;
    }
  } catch (cause) {
    throw failure(cause);
  } finally {
    limit.end();
    await reader.cancel().catch(() => undefined); // of what has ended or broken off already
  }
}
