import { errorCode } from '../../common/errors.js';
import { isTlsTrouble } from '../../http/tls-trouble.js';
import { NodeError } from '../storage-node.js';
import { OtherRunError } from './peer-frames.js';

/** What errors of the connection mean, in plain words. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was reset',
  EHOSTUNREACH: 'its host cannot be reached',
  ENETUNREACH: 'its network cannot be reached',
  ENOTFOUND: 'its host name is not known',
  ETIMEDOUT: 'it did not answer in time',
  UND_ERR_CONNECT_TIMEOUT: 'it did not answer in time',
  UND_ERR_HEADERS_TIMEOUT: 'it did not answer in time',
  UND_ERR_BODY_TIMEOUT: 'its answer stopped in the middle',
  UND_ERR_HEADERS_OVERFLOW: 'the headers of its answer do not end',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'its answer has another length than it says',
  UND_ERR_SOCKET: 'the connection was closed in the middle',
};

/** Any failure of a call as the error of a node. */
export function troubleOf(error: unknown): Error {
  if (error instanceof NodeError || error instanceof OtherRunError) return error;
  const code = errorCode(error) ?? '';
  return new NodeError('unavailable', WORDS[code] ?? wordsOf(code), { cause: error });
}

function wordsOf(code: string): string {
  if (isTlsTrouble(code)) return `its certificate is not one of that host by an authority in tls.ca (${code})`;
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') return `it does not speak TLS as it should (${code})`;
  return code.startsWith('HPE_') ? 'it does not speak HTTP' : `the call failed (${code || 'no code'})`;
}

/** What a status other than 200 means. Nothing of such an answer is proved, so nothing but the status and the date is looked at. */
export function refusalOf(status: number, headers: Readonly<Record<string, unknown>>, clockMsMax: number): NodeError {
  if (status === 401) return new NodeError('rejected', `it takes no call of ours (401): ${reasonOf(headers, clockMsMax)}`);
  if (status >= 300 && status < 400)
    return new NodeError('unavailable', `it points elsewhere (${status}), which is not followed`);
  return new NodeError('unavailable', `it answers ${status} and is no peer, or is busy`);
}

/** A hint only, since anybody on the way can make up a date. */
function reasonOf({ date }: Readonly<Record<string, unknown>>, clockMsMax: number): string {
  const apart = typeof date === 'string' ? Date.parse(date) - Date.now() : Number.NaN;
  if (Number.isNaN(apart)) return 'the secrets or the clocks differ';
  // A date has no milliseconds.
  return Math.abs(apart) + 1000 > clockMsMax
    ? `the clocks differ, by ${Math.round(apart / 1000)} s`
    : 'the secrets differ, or the versions of the program, or it was asked twice';
}
