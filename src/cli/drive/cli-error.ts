import type { Exit } from './exit-codes.js';

/** What a person can put right, in one sentence without a full stop. It never repeats a secret. */
export class CliError extends Error {
  override readonly name = 'CliError';

  constructor(
    readonly exit: Exit,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
