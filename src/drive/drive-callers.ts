import { Injectable } from '@nestjs/common';
import type { AccountId } from '../auth/account.js';
import { AccountDirectory } from '../auth/account-directory.js';
import { DomainError } from '../common/errors.js';
import type { Principal } from '../http/principal.js';

/** Whose drive a request is about, unless it names a node. */
@Injectable()
export class DriveCallers {
  constructor(private readonly accounts: AccountDirectory) {}

  /** @throws DomainError `accounts-required`, `forbidden` for a token with a prefix, and for what is no account's */
  accountOf({ owner, prefix }: Principal): AccountId {
    if (this.accounts.isOpen) throw new DomainError('accounts-required', 'a drive belongs to an account: dcloud admin init');
    if (prefix !== '') throw new DomainError('forbidden', 'a token with a prefix is for /files alone');
    const account = this.accounts.ofOwner(owner);
    if (account === undefined) throw new DomainError('forbidden', 'this needs the session or the token of an account');
    return account.id;
  }
}
