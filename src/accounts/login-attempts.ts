import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { clientKey } from '../auth/attempt-limiter.js';
import { AppConfig } from '../config/app-config.js';
import { AttemptBudget } from '../http/attempt-budget.js';
import { clientOf } from '../http/forwarded.js';
import type { OwnerId } from '../common/ids.js';
import type { UserName } from '../common/user-name.js';

const KEYS_MAX = 100_000;

/** What an attempt at something guessable counts for. */
export type Attempt = readonly Counted[];

interface Counted {
  readonly budget: AttemptBudget;
  readonly key: string;
}

/** Bounds guesses at passwords, invitations and user names: by the address that they come from, and by what they are at. */
@Injectable()
export class LoginAttempts {
  private readonly ofAddresses: AttemptBudget;
  private readonly ofNames: AttemptBudget;

  constructor({ limits }: AppConfig) {
    const { failed_attempts_max, failed_attempts_window_ms, login_attempts_max, login_attempts_window_ms } = limits;
    const addresses = { attemptsMax: failed_attempts_max, windowMs: failed_attempts_window_ms };
    this.ofAddresses = new AttemptBudget({ ...addresses, keysMax: KEYS_MAX });
    const names = { attemptsMax: login_attempts_max, windowMs: login_attempts_window_ms };
    this.ofNames = new AttemptBudget({ ...names, keysMax: KEYS_MAX });
  }

  /**
   * Counts an attempt to be somebody, before it is known how it ends.
   * @throws DomainError `too-many-attempts`, alike for names that are there and not
   */
  begin(request: IncomingMessage, name: UserName): Attempt {
    const address = { budget: this.ofAddresses, key: clientKey(clientOf(request).address) };
    return count([address, { budget: this.ofNames, key: `name ${name}` }]);
  }

  /** Counts a look for a user by who is known. @throws DomainError `too-many-attempts` */
  beginLookup(owner: OwnerId): Attempt {
    return count([{ budget: this.ofAddresses, key: `lookup ${owner}` }]);
  }

  /** It was no guess. */
  succeeded(attempt: Attempt): void {
    forgive(attempt);
  }
}

function count(all: readonly Counted[]): Attempt {
  const counted: Counted[] = [];
  try {
    for (const each of all) {
      each.budget.attempt(each.key);
      counted.push(each);
    }
  } catch (error) {
    forgive(counted); // a name that is held up does not hold up the address
    throw error;
  }
  return counted;
}

function forgive(counted: readonly Counted[]): void {
  for (const { budget, key } of counted) budget.forgive(key);
}
