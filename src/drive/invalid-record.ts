import { DomainError } from '../common/errors.js';
import { SdkError } from '../sdk/errors.js';

/** What was sent is not what it should be. */
export function invalidRecord(detail: string, cause?: unknown): DomainError {
  return new DomainError('invalid-record', detail, { cause });
}

/** Reads the head of something that a client sent. @throws DomainError `invalid-record` */
export function readSent<Head>(what: string, read: () => Head): Head {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof SdkError) throw invalidRecord(`the ${what} cannot be read`, cause);
    throw cause;
  }
}
