/** A call that was begun, and the way out for whoever cannot wait for its end. */
export interface Leavable<Result> {
  readonly result: Promise<Result>;
  /** Aborts the call, and rejects the result at once: what hangs hears no signal. */
  readonly leave: (reason: Error) => void;
}

const ONCE = { once: true };

/**
 * Begins a call with a signal of its own, so that it can be left behind. The caller's signal is only passed on: what the call has under way
 * must have ended when the caller cleans up after it. What becomes of a call that was left behind is nobody's business any more.
 * @param controller of the call's signal, if it outlives the call
 * @throws the signal's reason, if it is aborted already: then the call is not begun
 */
export function leavable<Result>(
  call: (signal: AbortSignal) => Promise<Result>,
  signal: AbortSignal | undefined,
  controller = new AbortController(),
): Leavable<Result> {
  signal?.throwIfAborted();
  const { promise: result, resolve, reject } = Promise.withResolvers<Result>();
  const running = call(controller.signal); // may throw: nothing is listened to yet
  const onAbort = (): void => controller.abort(signal?.reason);
  const forget = (): void => signal?.removeEventListener('abort', onAbort);
  if (signal?.aborted === true) onAbort();
  else signal?.addEventListener('abort', onAbort, ONCE);
  // Both ends are listened to, so what comes back too late is no unhandled rejection.
  running.then(
    (value) => {
      forget();
      resolve(value);
    },
    (error: unknown) => {
      forget();
      reject(error);
    },
  );
  const leave = (reason: Error): void => {
    reject(reason);
    controller.abort(reason);
    forget();
  };
  return { result, leave };
}
