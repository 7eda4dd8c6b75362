import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DomainError } from '../common/errors.js';
import type { FileId } from '../common/ids.js';
import type { UserName } from '../common/user-name.js';
import { AppConfig } from '../config/app-config.js';
import type { Attempt } from './login-attempts.js';
import type { LoginRecord } from './login-record.js';
import type { StoredLogin } from './logins.js';

const ID_BYTES = 16;

/** What is known of an exchange between its two halves. */
export type Exchange =
  | {
      readonly kind: 'registration';
      readonly name: UserName;
      /** The id that the account has, or will have. */
      readonly account: FileId;
      readonly invitation: string | undefined;
      readonly attempt: Attempt;
    }
  | {
      readonly kind: 'password' | 'recovery';
      readonly name: UserName;
      /** By which login it was begun; absent for who does not exist. No more of it: whoever wants can begin thousands. */
      readonly of: Pick<LoginRecord, 'account' | 'epoch'> | undefined;
      readonly serverLoginState: string;
      readonly attempt: Attempt;
    }
  | {
      readonly kind: 'change';
      readonly session: FileId;
      readonly login: StoredLogin;
      /** Absent after a recovery: the code was the proof. */
      readonly serverLoginState: string | undefined;
      readonly attempt: Attempt;
    };

/**
 * What is kept between the two halves of an exchange, in memory: for a short time, for a bounded number, and for one use. An exchange that
 * never ends leaves nothing.
 */
@Injectable()
export class PendingExchanges {
  /** In the order in which they end. */
  private readonly exchanges = new Map<string, { readonly exchange: Exchange; readonly until: number }>();

  constructor(private readonly config: AppConfig) {}

  /** Keeps one; gives the id under which it can be taken, which nobody guesses. @throws DomainError `too-busy` */
  put(exchange: Exchange): string {
    this.dropEnded();
    const { logins_pending_max: most, login_ms_max: ms } = this.config.limits;
    if (this.exchanges.size >= most) throw new DomainError('too-busy', 'too many logins are under way');
    const id = randomBytes(ID_BYTES).toString('base64url');
    this.exchanges.set(id, { exchange, until: Date.now() + ms });
    return id;
  }

  /** Takes one, once. @throws DomainError `login-expired` also for one of another kind */
  take<Kind extends Exchange['kind']>(id: string, kind: Kind): Extract<Exchange, { readonly kind: Kind }> {
    this.dropEnded();
    const found = this.exchanges.get(id);
    this.exchanges.delete(id);
    if (found?.exchange.kind === kind) return found.exchange as Extract<Exchange, { readonly kind: Kind }>;
    throw new DomainError('login-expired', 'the exchange was not begun here, took too long, or is over: begin again');
  }

  private dropEnded(): void {
    const now = Date.now();
    for (const [id, { until }] of this.exchanges) {
      if (until > now) return;
      this.exchanges.delete(id);
    }
  }
}
