import { constants } from 'node:os';

/** A terminal and npm both send a signal: what follows the first one within this time is its echo. */
const ECHO_MS = 500;
/** As a shell reports a process that a signal ended. */
const EXIT_SIGNAL = 128;

let ending: AbortController | undefined;

/** Somebody ended the command. */
class Ended extends Error {
  override readonly name = 'Ended';

  constructor(readonly exitCode: number) {
    super('the command was interrupted');
  }
}

/**
 * One signal for all that a command does: SIGINT and SIGTERM abort it, so that what runs stops in order, and nothing half done is left. A second
 * one ends the process at once.
 */
export function ends(): AbortSignal {
  if (ending !== undefined) return ending.signal;
  const controller = new AbortController();
  let firstAt: number | undefined;
  const onSignal = (name: 'SIGINT' | 'SIGTERM'): void => {
    const exitCode = EXIT_SIGNAL + constants.signals[name];
    const now = performance.now();
    if (firstAt !== undefined && now - firstAt > ECHO_MS) process.exit(exitCode);
    firstAt ??= now;
    controller.abort(new Ended(exitCode));
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  ending = controller;
  return controller.signal;
}

/** The exit code of a command that was ended by a signal; undefined: it was not. */
export function endedCode(): number | undefined {
  const reason: unknown = ending?.signal.reason;
  return reason instanceof Ended ? reason.exitCode : undefined;
}
