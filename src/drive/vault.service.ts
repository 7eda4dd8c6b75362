import { Injectable } from '@nestjs/common';
import type { AccountId } from '../auth/account.js';
import { ByteWriter } from '../common/byte-codec.js';
import { DomainError, errorCode } from '../common/errors.js';
import type { VersionId } from '../common/ids.js';
import type { StoredDocument } from '../documents/document-store.js';
import { readKept } from '../documents/read-kept.js';
import { checkChange, etagOf } from '../http/conditional.js';
import type { Principal } from '../http/principal.js';
import { vaultKey } from './drive-keys.js';
import { DriveCallers } from './drive-callers.js';
import { DriveStore } from './drive-store.js';

const VERSION = 1;
export const VAULT_NAMES = ['contacts', 'settings', 'mounts', 'devices'] as const;
export const VAULT_BYTES_MAX = 256 * 1024;

export type VaultName = (typeof VAULT_NAMES)[number];

/** Something that only the account's own clients read. */
export interface VaultItem {
  readonly bytes: Uint8Array;
  /** From 1; grows with each change. It is in what the bytes are sealed with. */
  readonly revision: number;
  /** Of the document. */
  readonly version: VersionId;
}

export interface VaultChange {
  readonly name: VaultName;
  readonly bytes: Uint8Array;
  /** As the client sealed it; undefined: the next one. */
  readonly revision: number | undefined;
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
}

/** What an account's clients keep for each other. */
@Injectable()
export class VaultService {
  constructor(
    private readonly store: DriveStore,
    private readonly callers: DriveCallers,
  ) {}

  /** @throws DomainError `vault-not-found`, `accounts-required`, `forbidden` */
  async get(principal: Principal, name: VaultName, signal: AbortSignal): Promise<VaultItem> {
    const found = await this.store.get(this.callers.accountOf(principal), vaultKey(name), signal);
    if (found === undefined) throw new DomainError('vault-not-found', 'nothing was put under this name yet');
    return itemOf(found);
  }

  /** @throws DomainError `precondition-required`, `precondition-failed`, `vault-not-found`, `quota-exceeded` */
  async put(principal: Principal, change: VaultChange, signal: AbortSignal): Promise<VaultItem> {
    const { name, ifMatch, ifNoneMatch } = change;
    const account = this.callers.accountOf(principal);
    const before = await this.store.get(account, vaultKey(name), signal);
    if (ifMatch === undefined && ifNoneMatch?.trim() !== '*')
      throw new DomainError('precondition-required', 'send If-Match with the ETag of what this replaces, or If-None-Match: *');
    if (before === undefined) return this.putFirst(account, change, signal);
    const preconditions = {
      ...(ifMatch !== undefined && { 'if-match': ifMatch }),
      ...(ifNoneMatch !== undefined && { 'if-none-match': ifNoneMatch }),
    };
    checkChange(preconditions, { etag: etagOf(before.revision), lastModified: 0 });
    const bytes = encode(change, itemOf(before).revision + 1);
    try {
      return itemOf(await this.store.replace(account, before.id, { bytes, expected: before.revision }, signal));
    } catch (cause) {
      throw errorCode(cause) === 'document-not-found' ? outdated(cause) : cause;
    }
  }

  /** Removes everything. */
  async clear(account: AccountId, signal: AbortSignal): Promise<void> {
    for (const name of VAULT_NAMES) {
      const found = await this.store.get(account, vaultKey(name), signal);
      if (found !== undefined) await this.store.remove(account, found.id, undefined, signal);
    }
  }

  private async putFirst(account: AccountId, change: VaultChange, signal: AbortSignal): Promise<VaultItem> {
    if (change.ifMatch !== undefined) throw outdated();
    try {
      return itemOf(await this.store.create(account, { key: vaultKey(change.name), bytes: encode(change, 1) }, signal));
    } catch (cause) {
      throw errorCode(cause) === 'document-exists' ? outdated(cause) : cause;
    }
  }
}

function outdated(cause?: unknown): DomainError {
  return new DomainError('precondition-failed', 'it was changed in the meantime: read it and try again', { cause });
}

function encode({ bytes, revision }: VaultChange, next: number): Uint8Array {
  if (revision !== undefined && revision !== next)
    throw new DomainError('precondition-failed', `the next revision is ${next}: read what is there and seal anew`);
  return new ByteWriter().number(VERSION).number(next).bytes(bytes).finish();
}

function itemOf({ bytes, revision: version }: StoredDocument): VaultItem {
  return readKept(bytes, { version: VERSION, what: 'what a vault has' }, (reader) => ({
    revision: reader.number(),
    bytes: reader.bytes(),
    version,
  }));
}
