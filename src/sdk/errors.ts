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
  'invalid-name': 'This name cannot be used',
} as const;

export type SdkErrorKind = keyof typeof SDK_ERRORS;

export class SdkError extends Error {
  override readonly name = 'SdkError';

  constructor(
    readonly kind: SdkErrorKind,
    options?: ErrorOptions,
  ) {
    super(SDK_ERRORS[kind], options);
  }
}
