/**
 * Waits for a call, but not for longer than a signal allows: for what hears no signal itself, like a disk that hangs. The call is then left
 * behind, and what becomes of it is nobody's business any more.
 * @throws the signal's reason, or whatever the call throws
 */
export async function within<Result>(limit: AbortSignal, call: Promise<Result>): Promise<Result> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const onLimit = (): void => reject(limit.reason as Error);
  limit.addEventListener('abort', onLimit, { once: true });
  try {
    if (limit.aborted) onLimit();
    return await Promise.race([call, late]); // listens to the loser as well, so that it is no unhandled rejection
  } finally {
    limit.removeEventListener('abort', onLimit);
  }
}
