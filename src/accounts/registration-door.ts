import { Injectable } from '@nestjs/common';
import { AccountDirectory } from '../auth/account-directory.js';
import { DomainError } from '../common/errors.js';
import { newId, type FileId } from '../common/ids.js';
import { parseUserName, type UserName } from '../common/user-name.js';
import { AppConfig } from '../config/app-config.js';
import { InvitationsService } from './invitations.service.js';

const NO_QUOTA = { bytes: null, files: null } as const;

/** Who was let in, and what becomes of that. */
export interface Admission {
  readonly accountId: FileId;
  /** The registration is kept. */
  readonly done: (signal: AbortSignal) => Promise<void>;
  /** It is not, and nothing is to be left of it. */
  readonly undo: (signal: AbortSignal) => Promise<void>;
}

/** Who may register: who is invited; with `registration` `open` also everybody under a name that no account has. */
@Injectable()
export class RegistrationDoor {
  constructor(
    private readonly config: AppConfig,
    private readonly accounts: AccountDirectory,
    private readonly invitations: InvitationsService,
  ) {}

  /**
   * Changes nothing.
   * @returns the id that the account has, or will have: what a client seals for it names it
   * @throws DomainError `registration-refused`
   */
  async check(name: UserName, invitation: string | undefined, signal: AbortSignal): Promise<FileId> {
    await this.accounts.load(signal);
    if (this.accounts.isOpen) throw refused('there are no accounts yet: an administrator comes first (dcloud admin init)');
    if (this.config.registration === 'closed') throw refused('nobody can register here');
    if (invitation !== undefined) return (await this.invitations.check(invitation, name, signal)).account.id;
    if (this.config.registration !== 'open') throw refused('this needs an invitation by an administrator');
    return newId();
  }

  /**
   * @param accountId of `check`
   * @throws DomainError `registration-refused`, `user-name-taken`, `too-many-accounts`
   */
  async admit(
    {
      name,
      accountId,
      invitation,
    }: { readonly name: UserName; readonly accountId: FileId; readonly invitation: string | undefined },
    signal: AbortSignal,
  ): Promise<Admission> {
    await this.check(name, invitation, signal);
    if (invitation === undefined) return this.admitNew(name, accountId, signal);
    const { id, account } = await this.invitations.check(invitation, name, signal);
    if (account.id !== accountId) throw refused('the account was made anew in the meantime');
    return {
      accountId: account.id,
      done: (until) => this.invitations.remove(id, until),
      undo: () => Promise.resolve(),
    };
  }

  private async admitNew(name: UserName, id: FileId, signal: AbortSignal): Promise<Admission> {
    // An account that an administrator made waits for who is invited to it.
    if (this.accounts.list().some((account) => isNamed(account.name, name)))
      throw new DomainError('user-name-taken', 'an account has this name');
    await this.accounts.create({ id, name, role: 'user', quota: NO_QUOTA }, signal);
    return { accountId: id, done: () => Promise.resolve(), undo: (until) => this.accounts.remove(id, until) };
  }
}

/** Names of accounts that are no user names are nobody's. */
function isNamed(account: string, name: UserName): boolean {
  try {
    return parseUserName(account) === name;
  } catch {
    return false;
  }
}

function refused(reason: string): DomainError {
  return new DomainError('registration-refused', reason);
}
