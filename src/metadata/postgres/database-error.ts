import assert from 'node:assert/strict';
import { errorCode } from '../../common/errors.js';
import { toIndexError } from '../index-error.js';

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
const SQLSTATE = /^[0-9A-Z]{5}$/;
const UNIQUE_VIOLATION = '23505';
/** Errors of pg have no code where it is the one that gave up. */
const OF_THE_CLIENT = /connection|connect|timeout|terminated|not queryable|after calling end|closed/i;

export function faultOf(error: unknown): Fault {
  const code = errorCode(error);
  if (code === undefined) return OF_THE_CLIENT.test(messageOf(error)) ? 'lost' : 'refused';
  if (CONFLICTS.has(code)) return 'conflict';
  if (LOST.has(code) || code.startsWith(CONNECTION_CLASS)) return 'lost';
  // What is no SQLSTATE is of the network or of TLS; assertions are ours.
  return SQLSTATE.test(code) && code !== 'EPIPE' ? 'refused' : code.startsWith('ERR_ASSERTION') ? 'refused' : 'lost';
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
