import { Injectable } from '@nestjs/common';
import { AccountDirectory } from '../auth/account-directory.js';
import { AttemptLimiter, clientKey } from '../auth/attempt-limiter.js';
import { DomainError } from '../common/errors.js';
import type { FileId } from '../common/ids.js';
import { linkNotFound, type FoundLink } from './link-documents.js';

/** What somebody shows who has a link, or guesses. */
export interface LinkProof {
  readonly linkId: FileId;
  readonly proof: Uint8Array;
  /** Of who asks, who may not guess for ever. */
  readonly address: string;
}

/** Who may try to open links, and whose can be opened. */
@Injectable()
export class LinkGuard {
  constructor(
    private readonly accounts: AccountDirectory,
    private readonly attempts: AttemptLimiter,
  ) {}

  /** @throws DomainError `accounts-required`, `too-many-attempts` */
  async begin({ address }: LinkProof, signal: AbortSignal): Promise<void> {
    this.attempts.check(clientKey(address));
    await this.accounts.load(signal);
    if (this.accounts.isOpen) throw new DomainError('accounts-required', 'a drive belongs to an account: dcloud admin init');
  }

  /** Only who fails is held up for the link: nobody else can shut out those who have it. */
  refuse({ address, linkId }: LinkProof): never {
    const keys = [clientKey(address), `link ${linkId}`];
    for (const key of keys) this.attempts.check(key);
    for (const key of keys) this.attempts.failed(key);
    throw linkNotFound();
  }

  isServed({ account }: FoundLink): boolean {
    return this.accounts.get(account)?.isDisabled === false;
  }
}
