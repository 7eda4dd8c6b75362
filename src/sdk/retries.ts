import { errorCode } from '../common/errors.js';
import { SdkError } from './errors.js';

const ATTEMPTS_MAX = 5;
const BACK_OFF_MS = 200;
/** Whoever is told to wait for longer is told so: it is for a person to decide. */
const RETRY_AFTER_SECONDS_MAX = 10;
/** The server refused these before it began: they may be sent again, whatever they ask for. */
const NOT_BEGUN: readonly (string | undefined)[] = ['too-busy', 'gateway-unavailable'];
/** Of what is thrown when no connection came about, so that nothing was sent: Node.js says which; browsers never do. */
const NOT_CONNECTED: readonly (string | undefined)[] = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'];

/** What a broken connection is for the caller. */
export function networkError(cause: unknown, isRepeatable: boolean): SdkError {
  const isUnsent = isNotConnected(cause);
  // The cause has addresses in it, but nothing of what was sent.
  return new SdkError(isRepeatable || isUnsent ? 'unavailable' : 'in-doubt', { cause });
}

/** Whether it makes sense, and does no harm, to send it again. */
export function isRetriable(
  error: unknown,
  { attempts, isRepeatable }: { readonly attempts: number; readonly isRepeatable: boolean },
): error is SdkError {
  if (!(error instanceof SdkError) || attempts >= ATTEMPTS_MAX) return false;
  const { kind, code, retryAfterSeconds = 0 } = error;
  if (retryAfterSeconds > RETRY_AFTER_SECONDS_MAX) return false;
  if (NOT_BEGUN.includes(code) || isNotConnected(error.cause)) return true;
  return isRepeatable && (kind === 'unavailable' || kind === 'in-doubt' || kind === 'too-many-attempts');
}

/** Milliseconds to wait: what the server says, else twice as long each time; never all clients at once. */
export function backOff({ retryAfterSeconds }: SdkError, attempts: number): number {
  const ms = retryAfterSeconds === undefined ? BACK_OFF_MS * 2 ** (attempts - 1) : retryAfterSeconds * 1_000;
  return ms * (1 + Math.random() / 2);
}

function isNotConnected(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const cause = 'cause' in error ? error.cause : undefined;
  return NOT_CONNECTED.includes(errorCode(error)) || NOT_CONNECTED.includes(errorCode(cause));
}

/** How often a change is made anew because another device was faster. */
const CHANGES_MAX = 5;

/** Makes a change anew as long as another device was faster. @throws SdkError `conflict` if they were so again and again */
export async function repeated<Result>(change: () => Promise<Result>, attemptsMax = CHANGES_MAX): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await change();
    } catch (error) {
      if (!isConflict(error) || attempt >= attemptsMax) throw error;
    }
  }
}

export function isConflict(error: unknown): boolean {
  return error instanceof SdkError && error.kind === 'conflict';
}
