import { describe, expect, it } from '@jest/globals';
import { DomainError } from '../../common/errors.js';
import { SDK_ERRORS, SdkError, type SdkErrorKind } from '../../sdk/errors.js';
import { recordedOutput } from '../../../test/support/recorded-output.js';
import { CliError } from './cli-error.js';
import type { Exit } from './exit-codes.js';
import { commonExit, failureOf, isFatal } from './failure.js';
import { about } from './subject-error.js';

function failing(exit: Exit): ReturnType<typeof failureOf> {
  return failureOf(new CliError(exit, exit));
}

describe('a failure', () => {
  it.each(Object.keys(SDK_ERRORS) as SdkErrorKind[])('of the kind %s is a sentence and no success', (kind) => {
    const { exit, message } = failureOf(new SdkError(kind));
    expect([exit === 'ok', message]).toEqual([false, SDK_ERRORS[kind]]);
  });

  it.each([
    ['ENOENT', 'not-found'],
    ['EACCES', 'not-allowed'],
    ['EISDIR', 'conflict'],
    ['ENOSPC', 'full'],
    ['EDQUOT', 'full'],
    ['ENAMETOOLONG', 'usage'],
    ['EPIPE', 'pipe-closed'],
  ])('of the system, %s, names the file in question: %s', (code, exit) => {
    const error = Object.assign(new Error(`${code}: bad, open '/x'`), { code, path: '/x' });
    expect(failureOf(error)).toMatchObject({ exit, kind: code, message: expect.stringMatching(/^\/x: [^:']+$/u) });
  });

  it('that nobody foresaw is one line, without the place in our code', () => {
    for (const error of [
      new TypeError('bad\n    at x (file.js:1:1)'),
      Object.assign(new Error('E'), { code: 'constructor' }),
      'text',
      1,
    ]) {
      const { exit, kind, message } = failureOf(error);
      expect([exit, kind]).toEqual(['failure', 'unexpected']);
      expect(message).not.toMatch(/\n|file\.js/u);
    }
  });

  it('says when to try again, and what the server or we say', () => {
    expect(failureOf(new SdkError('too-many-attempts', { retryAfterSeconds: 7.2 })).message).toMatch(/\(in 8 seconds\)$/u);
    expect(failureOf(new DomainError('too-busy', 'waited'))).toMatchObject({ kind: 'too-busy', message: 'waited' });
    expect(failureOf(new DOMException('x', 'AbortError'))).toMatchObject({ exit: 'interrupted' });
  });
});

describe('a failure with a subject', () => {
  const failing = (error: Error): Promise<unknown> => about('/a', () => Promise.reject(error)).catch((thrown: unknown) => thrown);

  it('names it, for people and for programs', async () => {
    const failure = failureOf(await failing(new SdkError('not-found')));
    expect(failure).toMatchObject({ exit: 'not-found', kind: 'not-found', subject: '/a' });
    const { output, said } = recordedOutput();
    output.fail(failure);
    output.fail(failure, '/b');
    expect(said).toEqual(['/a', '/b'].map((path) => `dcloud: ${path}: ${SDK_ERRORS['not-found']}.\n`));
  });

  it('does not where it is about everything', async () => {
    for (const error of [new SdkError('unavailable'), new DOMException('x', 'AbortError')])
      expect(failureOf(await failing(error))).not.toHaveProperty('subject');
  });
});

describe('several failures', () => {
  it.each([
    [['not-found', 'not-found'], 'not-found'],
    [['not-found', 'conflict'], 'failure'],
    [['not-found', 'full', 'conflict'], 'full'],
    [[], 'ok'],
  ] as readonly (readonly [Exit[], Exit])[])('%j have the exit %s', (exits, common) => {
    expect(commonExit(exits.map(failing))).toBe(common);
  });

  it.each([
    ['session-over', true],
    ['quota-exceeded', true],
    ['unavailable', true],
    ['exists', false],
    ['damaged', false],
    ['source-changed', false],
  ] as const)('need not be waited for after %s: %s', (kind, fatal) => {
    expect(isFatal(failureOf(new SdkError(kind)))).toBe(fatal);
  });
});
