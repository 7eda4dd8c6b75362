import { DomainError } from '../../common/errors.js';
import { SdkError, type SdkErrorKind } from '../../sdk/errors.js';
import { CliError } from './cli-error.js';
import type { Exit } from './exit-codes.js';
import { SubjectError } from './subject-error.js';

/** A failure as a person and as a program is told of it. */
export interface Failure {
  readonly exit: Exit;
  /** A word for programs: a kind of the SDK, a code of the system, or the name of the exit code. */
  readonly kind: string;
  /** One sentence without a full stop. */
  readonly message: string;
  /** What it happened to, such as a path, where that is not told beside it. */
  readonly subject?: string;
}

const EXITS: Readonly<Record<SdkErrorKind, Exit>> = {
  'wrong-key': 'wrong-secret',
  damaged: 'damaged',
  'not-yours': 'not-allowed',
  'unsupported-format': 'damaged',
  'identity-changed': 'damaged',
  'server-changed': 'damaged',
  'rolled-back': 'damaged',
  'weak-password-cost': 'damaged',
  'source-changed': 'conflict',
  'invalid-recovery-code': 'wrong-secret',
  'invalid-link': 'wrong-secret',
  'invalid-id': 'usage',
  'invalid-name': 'usage',
  'invalid-recipient': 'usage',
  'invalid-user-name': 'usage',
  'invalid-address': 'usage',
  'not-found': 'not-found',
  exists: 'conflict',
  'not-a-folder': 'conflict',
  'not-a-file': 'conflict',
  'folder-in-itself': 'conflict',
  'user-not-found': 'not-found',
  'user-name-taken': 'conflict',
  'registration-refused': 'not-allowed',
  'session-over': 'not-allowed',
  forbidden: 'not-allowed',
  conflict: 'conflict',
  'quota-exceeded': 'full',
  'too-large': 'full',
  'too-many-attempts': 'unreachable',
  unavailable: 'unreachable',
  'in-doubt': 'unreachable',
  'link-over': 'not-found',
  'server-refused': 'failure',
  'server-failed': 'unreachable',
  'state-damaged': 'damaged',
};

/** What the system says of files and pipes of this machine. */
const SYSTEM: Readonly<Record<string, readonly [Exit, string]>> = {
  ENOENT: ['not-found', 'there is no such file or folder on this machine'],
  ENOTDIR: ['conflict', 'a part of this local path is no folder'],
  EISDIR: ['conflict', 'this is a local folder'],
  EEXIST: ['conflict', 'there is a local file of this name already'],
  ENOTEMPTY: ['conflict', 'there is a local folder of this name already'],
  ELOOP: ['conflict', 'this is a symbolic link, which is not followed'],
  EACCES: ['not-allowed', 'this machine does not allow it'],
  EPERM: ['not-allowed', 'this machine does not allow it'],
  EROFS: ['not-allowed', 'the local disk is read-only'],
  ENOSPC: ['full', 'the local disk is full'],
  EDQUOT: ['full', 'the local disk is full'],
  EFBIG: ['full', 'the local disk takes no file as large as this'],
  ENAMETOOLONG: ['usage', 'this name is too long for the local disk'],
  EMFILE: ['failure', 'too many files are open on this machine'],
  EPIPE: ['pipe-closed', 'who read the output stopped reading'],
};

/** What goes wrong for everything that would follow, too: the rest is not tried. */
const FATAL: ReadonlySet<string> = new Set<SdkErrorKind>([
  'session-over',
  'quota-exceeded',
  'too-many-attempts',
  'unavailable',
  'server-failed',
  'server-changed',
  'state-damaged',
]);
const FATAL_EXITS: ReadonlySet<Exit> = new Set<Exit>(['interrupted', 'full', 'pipe-closed']);

export function isFatal({ exit, kind }: Failure): boolean {
  return FATAL.has(kind) || FATAL_EXITS.has(exit);
}

export function failureOf(error: unknown): Failure {
  if (error instanceof SubjectError) return withSubject(failureOf(error.cause), error.subject);
  if (error instanceof CliError) return { exit: error.exit, kind: error.exit, message: error.message };
  if (error instanceof SdkError) return { exit: EXITS[error.kind], kind: error.kind, message: sentence(error) };
  if (error instanceof DomainError) return { exit: 'failure', kind: error.code, message: error.detail };
  const { code, path, name, message } = error as Partial<NodeJS.ErrnoException>;
  if (name === 'AbortError') return { exit: 'interrupted', kind: 'interrupted', message: 'interrupted' };
  const known = code === undefined || !Object.hasOwn(SYSTEM, code) ? undefined : SYSTEM[code];
  if (known !== undefined) {
    const [exit, told] = known;
    return { exit, kind: String(code), message: path === undefined ? told : `${path}: ${told}` };
  }
  // Not foreseen, so a defect of ours or of the machine: what there is to say, on one line.
  const detail = code ?? `${String(name)}: ${String(message).split('\n', 1)[0] ?? ''}`;
  return { exit: 'failure', kind: 'unexpected', message: `something went wrong that was not foreseen (${detail})` };
}

/** What is wrong with everything is not about one subject. */
function withSubject(failure: Failure, subject: string): Failure {
  return isFatal(failure) ? failure : { ...failure, subject };
}

function sentence({ message, retryAfterSeconds }: SdkError): string {
  return retryAfterSeconds === undefined ? message : `${message} (in ${Math.ceil(retryAfterSeconds)} seconds)`;
}

/** The exit of several failures: theirs, if it is the same. */
export function commonExit(failures: readonly Failure[]): Exit {
  const fatal = failures.find(isFatal);
  if (fatal !== undefined) return fatal.exit;
  const exits = new Set(failures.map(({ exit }) => exit));
  const [first = 'ok'] = exits;
  return exits.size > 1 ? 'failure' : first;
}
