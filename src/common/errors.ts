/**
 * Every error that a user of DistributedCloud can meet, in one place: a stable code, the HTTP status it is answered with and
 * its title (RFC 9457). `status: null` marks errors that stop the program at start and never travel over HTTP.
 * Codes are never reused for another meaning; `docs/errors.md` explains each, and a test compares the two.
 */
export const ERRORS = {
  'invalid-request': { status: 400, title: 'The request is not well formed' },
  'invalid-json': { status: 400, title: 'The body is not valid JSON' },
  'invalid-id': { status: 400, title: 'The id is not a UUID' },
  'invalid-name': { status: 400, title: 'The file name is not allowed' },
  'invalid-content-type': { status: 400, title: 'The content type is not allowed' },
  'invalid-cursor': { status: 400, title: 'The cursor is not one that this server gave' },
  'invalid-multipart': { status: 400, title: 'The multipart body is not one file part named "file"' },
  'invalid-digest': { status: 400, title: 'The digest that was sent is not one of this body' },
  'incomplete-body': { status: 400, title: 'The body ended early' },
  'partial-upload': { status: 400, title: 'A PUT with Content-Range is not supported' },
  'invalid-user-name': { status: 400, title: 'The user name is not allowed' },
  'invalid-login-message': { status: 400, title: 'A message of the login protocol is not well formed' },
  'login-expired': { status: 400, title: 'The exchange was not begun, or is over' },
  'invalid-record': { status: 400, title: 'What was signed cannot be read, or is not what it says' },
  unauthenticated: { status: 401, title: 'The request does not say who sends it' },
  'login-failed': { status: 401, title: 'The user name or the password is wrong' },
  'host-unknown': { status: 421, title: 'The server has not this name' },
  'client-not-local': { status: 403, title: 'Clients on other machines are not served here' },
  forbidden: { status: 403, title: 'The credential does not allow this' },
  'registration-refused': { status: 403, title: 'The registration is not allowed' },
  'accounts-required': { status: 403, title: 'There are no accounts, which this needs' },
  'document-not-found': { status: 404, title: 'There is no such document' },
  'file-not-found': { status: 404, title: 'There is no such file' },
  'account-not-found': { status: 404, title: 'There is no such account' },
  'token-not-found': { status: 404, title: 'There is no such token' },
  'user-not-found': { status: 404, title: 'There is no such user' },
  'session-not-found': { status: 404, title: 'There is no such session' },
  'node-not-found': { status: 404, title: 'There is no such node' },
  'upload-not-found': { status: 404, title: 'There is no such upload' },
  'revision-not-found': { status: 404, title: 'There is no such revision' },
  'link-not-found': { status: 404, title: 'There is no such link' },
  'vault-not-found': { status: 404, title: 'There is nothing in the vault under this name' },
  'route-not-found': { status: 404, title: 'There is nothing at this address' },
  'method-not-allowed': { status: 405, title: 'The address does not take this method' },
  'request-timeout': { status: 408, title: 'The request did not arrive in time' },
  'account-exists': { status: 409, title: 'An account has this name already' },
  'user-name-taken': { status: 409, title: 'The user name is taken' },
  'login-changed': { status: 409, title: 'The login was changed in the meantime' },
  'account-not-empty': { status: 409, title: 'The account has files' },
  'too-many-accounts': { status: 409, title: 'There are as many accounts as there may be' },
  'too-many-tokens': { status: 409, title: 'The account has as many tokens as it may have' },
  'last-administrator': { status: 409, title: 'The store would be left without an administrator' },
  'document-exists': { status: 409, title: 'There is a document under this key' },
  'name-taken': { status: 409, title: 'The folder has something of this name' },
  'id-not-issued': { status: 409, title: 'The id was not given out for this, or was used' },
  'identity-outdated': { status: 409, title: 'It is not signed by the newest identity of the account' },
  'writers-changed': { status: 409, title: 'It does not name the newest list of writers' },
  'folder-changed': { status: 409, title: 'The folder is not as the record says' },
  'folder-in-itself': { status: 409, title: 'A folder cannot lie in itself' },
  'parts-missing': { status: 409, title: 'Parts of the content are missing or others than named' },
  'sharing-limit': { status: 409, title: 'There are as many grants or links as there may be' },
  'drain-refused': { status: 409, title: 'The node cannot be drained' },
  'migration-refused': { status: 409, title: 'The index cannot be moved there' },
  'removal-refused': { status: 409, title: 'The node cannot be removed now' },
  'replace-refused': { status: 409, title: 'The node cannot be replaced now' },
  'backup-running': { status: 409, title: 'A backup is being written' },
  'link-expired': { status: 410, title: 'The link is over' },
  'precondition-failed': { status: 412, title: 'The file is not at the version that was named' },
  'body-too-large': { status: 413, title: 'The body is larger than allowed' },
  'unsupported-encoding': { status: 415, title: 'The content coding is not supported' },
  'unsupported-media-type': { status: 415, title: 'The media type is not supported here' },
  'range-not-satisfiable': { status: 416, title: 'The range lies outside the file' },
  'reload-refused': { status: 422, title: 'The configuration was not taken over' },
  'precondition-required': { status: 428, title: 'The request must say which version it changes' },
  'too-many-attempts': { status: 429, title: 'Too many attempts failed' },
  'headers-too-large': { status: 431, title: 'The request headers are too large' },
  internal: { status: 500, title: 'The server met an error that it does not know' },
  'key-missing': { status: 500, title: 'The key ring does not have the key of this file' },
  'data-damaged': { status: 500, title: 'No copy of a part of this file is intact' },
  'gateway-lost': { status: 502, title: 'The process that holds the index was lost in the middle of the request' },
  'gateway-unavailable': { status: 503, title: 'The process that holds the index cannot be reached now' },
  'data-unavailable': { status: 503, title: 'A part of this file lies only on nodes that cannot be reached now' },
  'not-enough-nodes': { status: 503, title: 'Fewer nodes are up than each file must be stored on' },
  'outcome-unknown': { status: 503, title: 'Whether the change will hold is not known' },
  'index-unavailable': { status: 503, title: 'The index cannot be read or written now' },
  'too-busy': { status: 503, title: 'The server has as much in flight as it may have' },
  'backup-failed': { status: 503, title: 'The backup could not be written' },
  'quota-exceeded': { status: 507, title: 'The account has no room left for this' },
  'takeover-refused': { status: null, title: 'The takeover was refused' },
  'invalid-config': { status: null, title: 'The configuration is not valid' },
  'storage-locked': { status: null, title: 'Another process uses this storage' },
  'storage-mismatch': { status: null, title: 'The parts of this storage do not belong together' },
  'storage-missing': { status: null, title: 'A part of this storage is missing' },
  'index-moved': { status: null, title: 'The index was moved to another engine' },
  'index-half-moved': { status: null, title: 'The index is only half moved from another engine' },
  'migration-failed': { status: null, title: 'The index could not be moved' },
  'index-behind': { status: null, title: 'The index is older than what the nodes hold' },
  'storage-unusable': { status: null, title: 'The storage cannot be opened' },
  'backup-unusable': { status: null, title: 'The backup cannot be used' },
  'server-unreachable': { status: null, title: 'The server cannot be reached' },
  'address-unusable': { status: null, title: 'The server cannot listen at this address' },
} as const satisfies Record<string, { status: number | null; title: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** Whether what another process sent is a code that this program knows. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERRORS, code);
}

interface DomainErrorOptions extends ErrorOptions {
  /** When it makes sense to try again. */
  readonly retryAfterSeconds?: number;
}

/** An error with a code of the registry. `detail` is for the caller: it holds no names of files, no keys and no paths of the server. */
export class DomainError extends Error {
  override readonly name = 'DomainError';
  readonly retryAfterSeconds: number | undefined;

  constructor(
    readonly code: ErrorCode,
    readonly detail: string,
    options?: DomainErrorOptions,
  ) {
    super(`${code}: ${detail}`, options);
    this.retryAfterSeconds = options?.retryAfterSeconds;
  }
}

/** The code of an error of Node.js or of ours. Not `instanceof`: under Jest, Node's own errors are of another realm. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
