import { DomainError, ERRORS } from '../common/errors.js';
import { endedCode } from './ends.js';

/** Exit code for what the user can put right: the configuration, the storage, the address (`EX_CONFIG` of sysexits.h). */
const EXIT_CONFIG = 78;

/** An error that the user can put right is one line, and so is an interruption; any other is a defect of ours and keeps its stack. */
export function withErrors<Args extends readonly unknown[]>(
  action: (...args: Args) => Promise<void> | void,
): (...args: Args) => Promise<void> {
  return async (...args) => {
    try {
      await action(...args);
    } catch (error) {
      const ended = endedCode();
      if (ended !== undefined) {
        // Whatever it came as: some calls have it as the cause of an error of their own.
        process.stderr.write('dcloud: interrupted\n');
        process.exitCode = ended;
        return;
      }
      if (!(error instanceof DomainError)) throw error;
      process.stderr.write(`dcloud: ${ERRORS[error.code].title} (${error.code}): ${error.detail}\n`);
      process.exitCode = EXIT_CONFIG;
    }
  };
}
