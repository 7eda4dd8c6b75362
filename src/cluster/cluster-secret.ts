import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DomainError, errorCode } from '../common/errors.js';
import { makeFolder } from '../common/make-folder.js';
import type { AppConfig } from '../config/app-config.js';

const NAME = 'cluster-secret';
const SECRET_BYTES = 32;
const CHARACTERS_MIN = 32;
/** What others than the owner may do with a file. */
const OTHERS = 0o077;

/**
 * The secret by which peers prove themselves: of the configuration, or, for peers that share a storage directory, of a file in it that the
 * first of them makes.
 * @throws DomainError `storage-unusable`
 */
export function openSecret({ cluster_secret: given, storage_directory: directory }: AppConfig): string {
  if (given !== null) return given;
  const path = join(directory, NAME);
  try {
    makeFolder(directory);
    return read(path) ?? make(path);
  } catch (cause) {
    if (cause instanceof DomainError) throw cause;
    throw new DomainError('storage-unusable', `${path} cannot be used: ${(cause as Error).message}`, { cause });
  }
}

function read(path: string): string | undefined {
  try {
    const secret = readFileSync(path, 'utf8').trim();
    if (secret.length < CHARACTERS_MIN) throw new DomainError('storage-unusable', `${path} is damaged: it holds no secret`);
    if (process.platform !== 'win32' && (statSync(path).mode & OTHERS) !== 0)
      throw new DomainError('storage-unusable', `${path} can be read by others than its owner: chmod 600`);
    return secret;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Of several processes that make it at once one wins, and all read the same: a link is made whole or not at all, and replaces nothing. */
function make(path: string): string {
  const own = `${path}.${process.pid}.tmp`;
  writeFileSync(own, `${randomBytes(SECRET_BYTES).toString('base64url')}\n`, { mode: 0o600 });
  try {
    linkSync(own, path);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(own, { force: true });
  }
  const secret = read(path);
  if (secret === undefined) throw new DomainError('storage-unusable', `${path} vanished while it was made`);
  return secret;
}
