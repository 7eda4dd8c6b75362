import { Injectable } from '@nestjs/common';
import { AccountDirectory } from '../auth/account-directory.js';
import type { AccountId } from '../auth/account.js';
import { parseUserName, type UserName } from '../common/user-name.js';
import { isSame } from './former-identities.js';
import { Logins } from './logins.js';

/** Identities that are known without a look into the store. */
const KNOWN_MAX = 10_000;

/** The public identities of accounts, by their ids. The newest one is that of the login. */
@Injectable()
export class Identities {
  /** In the order of their last use. */
  private readonly known = new Map<AccountId, Uint8Array>();
  /** Grows with each change of a login or an account. */
  private changes = 0;

  constructor(
    private readonly accounts: AccountDirectory,
    private readonly logins: Logins,
  ) {
    const forget = (account: AccountId): void => {
      this.changes += 1;
      this.known.delete(account);
    };
    logins.onChange(forget);
    accounts.onChange(forget);
  }

  /** The same bytes as long as it stays the newest. Undefined if nobody has registered for the account, or put nothing. */
  async newest(account: AccountId, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const { changes } = this;
    const found = this.known.get(account) ?? (await this.read(account, signal));
    // What was read may be what was there before a change since then.
    if (found !== undefined && changes === this.changes) this.keep(account, found);
    return found;
  }

  /** All of an account, oldest first; empty if nobody has registered for it. */
  async all(account: AccountId, signal: AbortSignal): Promise<readonly Uint8Array[]> {
    for (;;) {
      const { changes } = this;
      const newest = await this.read(account, signal);
      if (newest === undefined) return [];
      const former = await this.logins.former.of(account, signal);
      if (changes !== this.changes) continue; // the newest may be a former one by now
      return [...former.filter((each) => !isSame(each, newest)), newest];
    }
  }

  private async read(account: AccountId, signal: AbortSignal): Promise<Uint8Array | undefined> {
    await this.accounts.load(signal);
    const name = userNameOf(this.accounts.get(account)?.name);
    const found = name && (await this.logins.find(name, signal));
    if (found?.login.account !== account) return undefined;
    const { identity } = found.login.bundle;
    return identity.length === 0 ? undefined : identity;
  }

  private keep(account: AccountId, identity: Uint8Array): void {
    this.known.delete(account);
    this.known.set(account, identity);
    const [quietest] = this.known.keys();
    if (this.known.size > KNOWN_MAX && quietest !== undefined) this.known.delete(quietest);
  }
}

/** Under which somebody registers for an account: its own name, if that is a user's. */
function userNameOf(name: string | undefined): UserName | undefined {
  try {
    return name === undefined ? undefined : parseUserName(name);
  } catch {
    return undefined;
  }
}
