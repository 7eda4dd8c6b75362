import { timingSafeEqual } from 'node:crypto';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DomainError, errorCode } from '../common/errors.js';
import { hashOf, newSecret } from './token.js';

const NAME = 'admin-init-secret';

/** The file by which who may read the storage directory proves it, as long as there is no administrator. */
export function initSecretPath(directory: string): string {
  return join(directory, NAME);
}

/** @returns undefined if there is none: there are accounts, or no server has run here */
export function readInitSecret(directory: string): string | undefined {
  try {
    return readFileSync(initSecretPath(directory), 'utf8').trim();
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined;
    const detail = `${initSecretPath(directory)} cannot be read: ${(cause as Error).message}`;
    throw new DomainError('storage-unusable', detail, { cause });
  }
}

/** Another one for each run of the server: one that was seen once is of no use later. */
export function makeInitSecret(directory: string): string {
  const secret = newSecret();
  removeInitSecret(directory); // with the mode that it had
  writeFileSync(initSecretPath(directory), `${secret}\n`, { mode: 0o600, flag: 'wx' });
  chmodSync(initSecretPath(directory), 0o600); // whatever the umask says
  return secret;
}

export function removeInitSecret(directory: string): void {
  rmSync(initSecretPath(directory), { force: true });
}

export function isSame(given: string, secret: string): boolean {
  return timingSafeEqual(hashOf(given), hashOf(secret));
}
