import { Injectable } from '@nestjs/common';
import { LoginAttempts } from './login-attempts.js';
import { PendingExchanges } from './pending-exchanges.js';

/** What bounds exchanges: how often one is tried, and how many are under way. */
@Injectable()
export class ExchangeGuard {
  constructor(
    readonly attempts: LoginAttempts,
    readonly pending: PendingExchanges,
  ) {}
}
