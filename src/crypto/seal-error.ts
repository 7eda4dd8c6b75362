/**
 * Sealed bytes that do not open: another key, other associated data, other parameters, or bytes that were changed. It says no more
 * than that, and always the same, so that nobody who can send bytes in learns from the answer what was wrong with them.
 */
export class SealError extends Error {
  override readonly name = 'SealError';

  constructor() {
    super('The sealed bytes do not authenticate');
  }
}
