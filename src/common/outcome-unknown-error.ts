import { DomainError } from './errors.js';

/**
 * A change was sent to the index, and whether it was made could not be found out in time. Until that is known, all that it rests on and all that
 * it has written is to be left as it is: see {@link holding}.
 */
export class OutcomeUnknownError extends DomainError {
  /** @param isMade resolves when it is known whether it was made, however late that is; never if the index is closed before */
  constructor(
    readonly isMade: Promise<boolean>,
    cause: unknown,
  ) {
    super('outcome-unknown', 'the index was lost in the middle, and it is not known whether the change was made', { cause });
  }
}

/** Runs something and lets go of what it needs when it has ended; if it leaves a change in doubt, not before its outcome is known. */
export async function holding<Result>(work: () => Promise<Result>, letGo: () => void): Promise<Result> {
  let isMade: Promise<boolean> | undefined;
  try {
    return await work();
  } catch (error) {
    if (error instanceof OutcomeUnknownError) ({ isMade } = error);
    throw error;
  } finally {
    if (isMade === undefined) letGo();
    else void isMade.then(letGo);
  }
}
