/**
 * Every failure that a user of the SDK can tell apart, each with one fixed sentence. No detail is ever added to them: what was wrong
 * with sealed bytes must not depend on the key that they failed to open with, or the answer would help whoever sent them.
 */
export const SDK_ERRORS = {
  'wrong-key': 'The password, code or link is not the right one',
  damaged: 'What the server sent was changed or is damaged',
  'not-yours': 'This was made by or for somebody who may not do that here',
  'unsupported-format': 'This was written by a newer version of the program, or is not what it should be',
  'identity-changed': 'The keys of this person are not those that you knew',
  'server-changed': 'This is not the server with which the account was registered',
  'rolled-back': 'The server shows an older or another state than the one that you have already seen',
  'weak-password-cost': 'The server asks for a weaker protection of the password than is safe',
  'source-changed': 'The local file is not the one whose upload began',
  'invalid-recovery-code': 'This is not a recovery code: look for a typing error',
  'invalid-link': 'This is not a link to a shared file or folder',
  'invalid-id': 'This is not an id',
  'invalid-name': 'This name cannot be used',
  'invalid-recipient': 'This is no passphrase and no public key to seal for',
  'invalid-user-name': 'This is not a user name',
  'invalid-address': 'This is not the address of a server: https://, a host, and nothing behind it',
  'not-found': 'There is nothing of this name, or not for you',
  exists: 'There is something of this name already',
  'not-a-folder': 'This is not a folder',
  'not-a-file': 'This is not a file',
  'folder-in-itself': 'A folder cannot be moved into itself',
  'user-not-found': 'There is no user of this name',
  'user-name-taken': 'The user name is taken',
  'registration-refused': 'This server does not let you register: ask for an invitation',
  'session-over': 'The session is over: log in again',
  forbidden: 'This is not allowed',
  conflict: 'Somebody else has changed this at the same time: try again',
  'quota-exceeded': 'There is no room left for this',
  'too-large': 'This is larger than the server takes',
  'too-many-attempts': 'Too many attempts: try again later',
  unavailable: 'The server cannot be reached, or cannot do this now',
  'in-doubt': 'The answer of the server was lost: what was asked for may have been done',
  'link-over': 'This link is over, or never was one',
  'server-refused': 'The server does not take this: one of the two programs may be too old',
  'server-failed': 'The server failed',
  'state-damaged': 'What this device keeps of the account cannot be read: log in again',
} as const;

export type SdkErrorKind = keyof typeof SDK_ERRORS;

export interface SdkErrorOptions extends ErrorOptions {
  /** The server's own word for it, out of the list that we know: no text of a server's choice. */
  readonly code?: string;
  /** When it makes sense to try again. */
  readonly retryAfterSeconds?: number;
}

export class SdkError extends Error {
  override readonly name = 'SdkError';
  readonly code: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    readonly kind: SdkErrorKind,
    { code, retryAfterSeconds, ...options }: SdkErrorOptions = {},
  ) {
    super(SDK_ERRORS[kind], options);
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
