import { SdkError, type SdkErrorKind } from './errors.js';

/** What the codes of the server mean for who uses the SDK; docs/errors.md has them all. */
const BY_CODE: Readonly<Record<string, SdkErrorKind>> = {
  unauthenticated: 'session-over',
  'login-failed': 'wrong-key',
  'login-expired': 'conflict',
  'login-changed': 'conflict',
  'invalid-id': 'invalid-id',
  'invalid-user-name': 'invalid-user-name',
  'registration-refused': 'registration-refused',
  'user-name-taken': 'user-name-taken',
  'user-not-found': 'user-not-found',
  forbidden: 'forbidden',
  'client-not-local': 'forbidden',
  'accounts-required': 'forbidden',
  'session-not-found': 'not-found',
  'account-not-found': 'not-found',
  'node-not-found': 'not-found',
  'upload-not-found': 'not-found',
  'revision-not-found': 'not-found',
  'vault-not-found': 'not-found',
  'link-not-found': 'link-over',
  'link-expired': 'link-over',
  'name-taken': 'exists',
  'folder-in-itself': 'folder-in-itself',
  'id-not-issued': 'conflict',
  'identity-outdated': 'conflict',
  'writers-changed': 'conflict',
  'folder-changed': 'conflict',
  'parts-missing': 'conflict',
  'precondition-failed': 'conflict',
  'document-exists': 'conflict',
  'method-not-allowed': 'server-refused',
  'body-too-large': 'too-large',
  'quota-exceeded': 'quota-exceeded',
  'too-many-attempts': 'too-many-attempts',
  'too-busy': 'unavailable',
  'not-enough-nodes': 'unavailable',
  'outcome-unknown': 'in-doubt',
  'index-unavailable': 'unavailable',
  'data-unavailable': 'unavailable',
  'gateway-unavailable': 'unavailable',
  'gateway-lost': 'in-doubt',
  'request-timeout': 'unavailable',
  'incomplete-body': 'unavailable',
  'invalid-digest': 'unavailable',
};

const BY_STATUS: Readonly<Record<number, SdkErrorKind>> = {
  401: 'session-over',
  403: 'forbidden',
  404: 'not-found',
  408: 'unavailable',
  409: 'conflict',
  412: 'conflict',
  413: 'too-large',
  429: 'too-many-attempts',
  502: 'unavailable',
  503: 'unavailable',
  504: 'unavailable',
  507: 'quota-exceeded',
};

/** A problem (RFC 9457) as an error. Nothing of its text is taken over: whoever runs the server chose it. */
export function serverError(status: number, code: unknown, retryAfter: string | null): SdkError {
  const known = typeof code === 'string' && Object.hasOwn(BY_CODE, code) ? code : undefined;
  const kind =
    (known === undefined ? undefined : BY_CODE[known]) ??
    BY_STATUS[status] ??
    (status >= 500 ? 'server-failed' : 'server-refused');
  const seconds = retryAfter !== null && /^\d{1,6}$/u.test(retryAfter) ? Number(retryAfter) : undefined;
  return new SdkError(kind, {
    ...(known !== undefined && { code: known }),
    ...(seconds !== undefined && { retryAfterSeconds: seconds }),
  });
}
