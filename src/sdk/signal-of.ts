import type { CallOptions } from './drive-api.js';

/** The caller's signal, or one that nobody ends. */
export function signalOf(options: CallOptions | undefined): AbortSignal {
  return options?.signal ?? new AbortController().signal;
}
