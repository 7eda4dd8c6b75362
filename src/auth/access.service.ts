import type { IncomingMessage } from 'node:http';
import { Injectable, Logger } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { DomainError } from '../common/errors.js';
import type { OwnerId } from '../common/ids.js';
import { clientOf } from '../http/forwarded.js';
import { MetadataStore, type OwnerUsage, usageOfAll } from '../metadata/metadata-store.js';
import { type Account, type AccountId, ownerOf } from './account.js';
import { type AccountChange, AccountDirectory } from './account-directory.js';
import { AttemptLimiter, clientKey } from './attempt-limiter.js';
import { isSame, makeInitSecret, removeInitSecret } from './init-secret.js';
import { SCOPES } from './token.js';
import { type MadeToken, TokensService } from './tokens.service.js';

const BEARER = /^Bearer +([\w-]{43}) *$/i;
const FIRST_TOKEN = 'dcloud admin init';

/** The first administrator, and its token. */
export interface InitializedAccount extends MadeToken {
  readonly account: Account;
}

/** An account and what it has stored. */
export interface UsedAccount {
  readonly account: Account;
  readonly usage: OwnerUsage;
}

/** The life of accounts: from the first administrator to the end of each. */
@Injectable()
export class AccessService {
  private readonly logger = new Logger(AccessService.name);
  private secret: string | undefined;

  constructor(
    readonly accounts: AccountDirectory,
    readonly tokens: TokensService,
    private readonly attempts: AttemptLimiter,
    private readonly metadata: MetadataStore,
  ) {}

  private get config(): AppConfig {
    return this.accounts.config;
  }

  /** Reads which accounts there are. If that cannot be done now, it is done before the first request that needs it. */
  async open(): Promise<void> {
    const { storage_directory: directory, limits } = this.config;
    try {
      await this.accounts.load(new AbortController().signal); // ends by itself
      if (this.accounts.areLost)
        this.logger.error('there are tokens and no accounts: they were lost, and nobody is let in before dcloud admin init');
      if (await this.isToBegin(AbortSignal.timeout(limits.node_call_ms_max))) this.secret = makeInitSecret(directory);
      else removeInitSecret(directory);
    } catch (error) {
      this.logger.error({ err: error }, 'the accounts cannot be read yet: nobody is let in before they are');
    }
  }

  /** Makes the first administrator, for who proves to have access to the storage directory. */
  async init(request: IncomingMessage, name: string, signal: AbortSignal): Promise<InitializedAccount> {
    const client = clientKey(clientOf(request).address);
    this.attempts.check(client);
    if (this.secret === undefined && this.accounts.isLoaded && !this.accounts.isOpen)
      throw new DomainError('forbidden', 'there is an administrator already');
    const [, given] = BEARER.exec(request.headers.authorization ?? '') ?? [];
    if (given === undefined || this.secret === undefined || !isSame(given, this.secret)) {
      this.attempts.failed(client);
      throw new DomainError('unauthenticated', 'this needs the secret of the file admin-init-secret in the storage directory');
    }
    const account = this.accounts.onlyFirst ?? (await this.accounts.createFirst(name, signal));
    const wish = { accountId: account.id, label: FIRST_TOKEN, scopes: SCOPES, prefix: '', expiresAt: null };
    const made = await this.tokens.create(wish, undefined, signal);
    signal.throwIfAborted(); // a token that nobody gets to see: it is to be asked for again
    this.secret = undefined;
    removeInitSecret(this.config.storage_directory);
    return { ...made, account };
  }

  /**
   * Whether there is no administrator with a token: nobody was made, or whoever asked never got to see what was answered, and the store would
   * be closed for ever.
   */
  private async isToBegin(signal: AbortSignal): Promise<boolean> {
    if (this.accounts.list().length === 0) return true;
    const { onlyFirst: first } = this.accounts;
    return first !== undefined && (await this.tokens.list(first.id, signal)).every(({ usedAt }) => usedAt === null);
  }

  async use(account: Account, signal: AbortSignal): Promise<UsedAccount> {
    return { account, usage: await this.usageOf(ownerOf(account), signal) };
  }

  async change(id: AccountId, change: AccountChange, signal: AbortSignal): Promise<UsedAccount> {
    return this.use(await this.accounts.change(id, change, signal), signal);
  }

  /** @throws DomainError `account-not-found`, `account-not-empty`, `last-administrator` */
  async remove(id: AccountId, signal: AbortSignal): Promise<void> {
    const owner = ownerOf(this.accounts.require(id));
    await this.accounts.limits.end(owner, async () => {
      const { files } = await this.usageOf(owner, signal);
      if (files > 0)
        throw new DomainError('account-not-empty', `the account has ${files} files, which nobody would own any more`);
      await this.accounts.remove(id, signal);
    });
    await this.tokens.revokeAll(id, signal);
  }

  private usageOf(owner: OwnerId, signal: AbortSignal): Promise<OwnerUsage> {
    return usageOfAll(this.metadata, this.accounts.limits.ownersOf(owner), signal);
  }
}
