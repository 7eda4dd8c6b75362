import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { writeFileDurably } from '../common/durable-file.js';
import { DomainError, errorCode } from '../common/errors.js';
import type { ClusterId } from '../common/ids.js';
import { ProcessLock } from '../common/process-lock.js';
import { KeyRing } from './key-ring.js';

/*
 * The key ring in a file, which only its owner may read (0600). All of this is synchronous, for start and the command line; each change
 * is durable when it returns, and a power cut in the middle leaves the key ring as it was.
 */

const MODE = 0o600;
const OTHERS = 0o077;
const BYTES_MAX = 1024 * 1024;
const LOCK_WAIT_MS = 5000;

/**
 * Makes the key ring of a new cluster.
 * @param now milliseconds since 1970
 * @throws DomainError `storage-unusable` if the file exists, `storage-locked` if another process is at it.
 */
export function createKeyRing(path: string, clusterId: ClusterId, now: number): KeyRing {
  return locked(path, () => {
    if (existsSync(path)) throw new DomainError('storage-unusable', `${path} exists: a key ring is never overwritten`);
    return write(path, KeyRing.create(clusterId, now));
  });
}

/**
 * Reads the key ring.
 * @param clusterId the cluster that it must belong to; undefined if that is not known
 * @throws DomainError `storage-missing`; `storage-mismatch` for another cluster's; `storage-unusable` if others may read it, or if it is
 *   damaged or of a newer format.
 */
export function readKeyRing(path: string, clusterId?: ClusterId): KeyRing {
  try {
    const file = openSync(path, constants.O_RDONLY);
    try {
      assertOwnersOnly(path, file);
      return assertCluster(path, parse(path, readFileSync(file, 'utf8')), clusterId);
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw unusable(path, cause);
  }
}

/**
 * Replaces the key ring by what `change` makes of it, while no other process changes it. Returns the new one, durable.
 * Throws as `readKeyRing`, and DomainError `storage-locked` after some seconds.
 */
export function changeKeyRing(path: string, change: (keyRing: KeyRing) => KeyRing, clusterId?: ClusterId): KeyRing {
  const target = resolveLinks(path);
  return locked(target, () => {
    const before = readKeyRing(target, clusterId);
    const after = change(before);
    return write(target, assertCluster(path, after, before.clusterId));
  });
}

/**
 * Writes the key ring of a running server again, if its file is missing; false if it is there. Whoever holds the lock keeps it from
 * that: a server at work does not wait for a lock, and tries again.
 * @throws DomainError `storage-locked`; `storage-missing` or `storage-unusable` if it cannot be written.
 */
export function putBackKeyRing(path: string, keyRing: KeyRing): boolean {
  const target = resolveMissing(path);
  const call = (): boolean => {
    if (lstatSync(target, { throwIfNoEntry: false }) !== undefined) return false;
    write(target, keyRing);
    return true;
  };
  return locked(target, call, 0);
}

/** As `resolveLinks`, for a file that need not be there: the end of the links that lead to it. */
function resolveMissing(path: string): string {
  try {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    // Links in a circle are no missing file but ELOOP, before anybody comes here.
    if (stat?.isSymbolicLink() === true) return resolveMissing(resolve(dirname(path), readlinkSync(path)));
    return join(realpathSync(dirname(path)), basename(path));
  } catch (cause) {
    throw unusable(path, cause);
  }
}

/** The file itself: renaming over a symbolic link would replace the link and leave the old keys where it points. */
function resolveLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    throw unusable(path, cause);
  }
}

function locked<Result>(path: string, call: () => Result, waitMs = LOCK_WAIT_MS): Result {
  // Otherwise a directory that does not exist would be reported as SQLite sees it.
  if (!existsSync(dirname(path))) throw new DomainError('storage-unusable', `the directory of ${path} does not exist`);
  const lock = ProcessLock.take(`${path}.lock`, waitMs);
  try {
    removeLeftovers(path);
    return call();
  } finally {
    lock.release();
  }
}

/** A crash between writing and renaming leaves a file with keys in clear. Under the lock nobody is in the middle of that. */
function removeLeftovers(path: string): void {
  const directory = dirname(path);
  const isLeftover = (name: string): boolean => name.startsWith(`${basename(path)}.`) && name.endsWith('.tmp');
  try {
    for (const entry of readdirSync(directory, { withFileTypes: true }))
      if (!entry.isDirectory() && isLeftover(entry.name)) rmSync(join(directory, entry.name), { force: true });
  } catch (cause) {
    throw new DomainError('storage-unusable', `leftovers beside ${path} cannot be removed: ${String(errorCode(cause))}`, {
      cause,
    });
  }
}

function write(path: string, keyRing: KeyRing): KeyRing {
  try {
    writeFileDurably(path, keyRing.serialize(), MODE);
  } catch (cause) {
    throw unusable(path, cause);
  }
  // Read back what the file system kept, in the form in which the next start will meet it.
  return readKeyRing(path, keyRing.clusterId);
}

function assertOwnersOnly(path: string, file: number): void {
  const stat = fstatSync(file);
  if (!stat.isFile() || stat.size > BYTES_MAX) throw new DomainError('storage-unusable', `${path} is no key ring`);
  // Windows has no such bits; there the access list of the directory must do.
  if (process.platform === 'win32' || (stat.mode & OTHERS) === 0) return;
  const mode = (stat.mode & 0o777).toString(8).padStart(4, '0');
  throw new DomainError('storage-unusable', `${path} has mode ${mode}: others than its owner can use the keys; chmod it to 0600`);
}

function assertCluster(path: string, keyRing: KeyRing, clusterId: ClusterId | undefined): KeyRing {
  if (clusterId === undefined || keyRing.clusterId === clusterId) return keyRing;
  throw new DomainError(
    'storage-mismatch',
    `${path} is the key ring of cluster ${keyRing.clusterId}, and this one is ${clusterId}`,
  );
}

function parse(path: string, text: string): KeyRing {
  try {
    return KeyRing.parse(text);
  } catch (cause) {
    if (cause instanceof DomainError) throw new DomainError(cause.code, `${path}: ${cause.detail}`, { cause });
    throw cause;
  }
}

function unusable(path: string, cause: unknown): DomainError {
  if (cause instanceof DomainError) return cause;
  if (errorCode(cause) === 'ENOENT') {
    const detail = `there is no key ring at ${path}, and without it nothing that is stored can be opened: restore it from a copy`;
    return new DomainError('storage-missing', detail, { cause });
  }
  return new DomainError('storage-unusable', `${path} cannot be used: ${String(errorCode(cause))}`, { cause });
}
