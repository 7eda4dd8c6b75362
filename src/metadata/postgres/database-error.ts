import assert from 'node:assert/strict';
import { DomainError, errorCode } from '../../common/errors.js';
import { toIndexError } from '../index-error.js';
import { StaleBasisError } from '../metadata-store.js';

/**
 * What an error of the database means for the call that met it. `conflict`: the transaction was undone and may be tried again at once.
 * `lost`: it is not known what became of it, or who answers now. `refused`: it was undone, and would be again.
 */
export type Fault = 'conflict' | 'lost' | 'refused';

/** serialization_failure, deadlock_detected. */
const CONFLICTS = new Set(['40001', '40P01']);
/** Of the server: shut down, crashed, starting, idle for too long; and read_only_sql_transaction: a primary that is none any more. */
const LOST = new Set(['57P01', '57P02', '57P03', '57P05', '25006']);
const CONNECTION_CLASS = '08';
/** With such an error the server ends the session, or itself: what it had written to its log by then only its recovery can tell. */
const FATAL = new Set(['FATAL', 'PANIC']);
/** system_error and internal_error, as which they come in whatever language: of an error `pg` gives only the word that the server translates. */
const SYSTEM_CLASSES = new Set(['58', 'XX']);
/** Of a disk that is full, or read-only by now: as a mere error it undid something. */
const DISK_CODES = /^(53...|42501)$/;
/** Not the codes of the system, of which each begins with an E. */
const SQLSTATE = /^[0-9A-DF-Z][0-9A-Z]{4}$/;
const UNIQUE_VIOLATION = '23505';

export function faultOf(error: unknown): Fault {
  // Ours: what an answer came to. And what was never sent.
  if (error instanceof DomainError || error instanceof StaleBasisError || error instanceof TypeError) return 'refused';
  const code = errorCode(error) ?? '';
  if (code === 'ERR_ASSERTION') return 'refused';
  if (CONFLICTS.has(code)) return 'conflict';
  if (LOST.has(code) || code.startsWith(CONNECTION_CLASS) || isFatal(error, code)) return 'lost';
  // Only the server itself can say that nothing was done.
  return SQLSTATE.test(code) ? 'refused' : 'lost';
}

function isFatal(error: unknown, code: string): boolean {
  const { severity } = (error ?? {}) as { severity?: unknown };
  if (FATAL.has(String(severity)) || SYSTEM_CLASSES.has(code.slice(0, 2))) return true;
  return severity !== 'ERROR' && DISK_CODES.test(code); // a word that is not known
}

/** What a caller may see of it. That something is made twice is the caller's mistake, as it is with the other engine. */
export function toCallerError(error: unknown): unknown {
  if (errorCode(error) !== UNIQUE_VIOLATION) return toIndexError(error);
  return new assert.AssertionError({ message: 'a file and a version are made once' });
}

/** In words, without anything of a url. */
export function messageOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  const { message, errors } = error as { message?: unknown; errors?: readonly unknown[] };
  // Of a name with several addresses there are several errors, and a message that says nothing.
  if (Array.isArray(errors) && errors.length > 0) return [...new Set(errors.map(messageOf))].join('; ');
  return typeof message === 'string' ? message : 'it failed';
}
