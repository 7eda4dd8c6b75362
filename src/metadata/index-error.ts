import { DomainError, errorCode } from '../common/errors.js';
import { StaleBasisError } from './metadata-store.js';

/**
 * What a caller may see of an error inside the index. Errors of ours pass, and so do failed assertions, which are a programmer's;
 * all else is the engine's or a damaged row's, and means that the index cannot answer.
 */
export function toIndexError(error: unknown): unknown {
  if (error instanceof DomainError || error instanceof StaleBasisError || errorCode(error) === 'ERR_ASSERTION') return error;
  return new DomainError('index-unavailable', 'the index could not be read or written', { cause: error });
}

export function closedError(): DomainError {
  return new DomainError('index-unavailable', 'the index is closed');
}
