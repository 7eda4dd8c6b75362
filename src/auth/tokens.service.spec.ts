import { beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryDocumentStore } from '../../test/support/memory.document-store.js';
import type { FileId } from '../common/ids.js';
import type { AppConfig } from '../config/app-config.js';
import { LIMITS } from '../config/limits.js';
import { AccountLimits } from '../http/account-limits.js';
import type { Principal } from '../http/principal.js';
import type { AccountId } from './account.js';
import { AccountDirectory } from './account-directory.js';
import { AttemptLimiter } from './attempt-limiter.js';
import { BearerAuthenticator } from './bearer.authenticator.js';
import type { Token } from './token.js';
import { type TokenWish, TokensService } from './tokens.service.js';

const { signal } = new AbortController();
const MOST = 8;

let documents: MemoryDocumentStore;
let tokens: TokensService;
let accountId: AccountId;

/** A process that starts now. */
async function start(most = MOST): Promise<void> {
  const config = {
    listen: '127.0.0.1',
    peers: [],
    trusted_proxies: [],
    limits: { ...LIMITS, account_tokens_max: most },
  } as unknown as AppConfig;
  const accounts = new AccountDirectory(config, documents, new AccountLimits());
  await accounts.load(signal);
  if (accounts.list().length === 0) await accounts.createFirst('root', signal);
  const authenticator = new BearerAuthenticator(config, accounts, new AttemptLimiter(config));
  tokens = new TokensService(config, documents, accounts, authenticator);
  const ada = accounts.list().find(({ name }) => name === 'ada');
  accountId = (ada ?? (await accounts.create({ name: 'ada', role: 'user', quota: { bytes: null, files: null } }, signal))).id;
}

async function make(by?: Principal, wish: Partial<TokenWish> = {}): Promise<Token> {
  const whole = { accountId, label: '', scopes: ['read', 'write'], prefix: '', expiresAt: null, ...wish } as const;
  return (await tokens.create(whole, by, signal)).token;
}

async function principalOf({ id }: Token): Promise<Principal> {
  return (await tokens.find(id, signal))!.principal;
}

async function left(): Promise<readonly FileId[]> {
  return (await tokens.list(accountId, signal)).map(({ id }) => id);
}

const refused = (code: string): unknown => expect.objectContaining({ code });

beforeEach(async () => {
  documents = new MemoryDocumentStore();
  await start();
});

describe('a token that was revoked', () => {
  it('has made none that is left, however close together it made them', async () => {
    const owner = await make();
    const leaked = await make();
    const [by, thief] = [await principalOf(owner), await principalOf(leaked)];
    const made = await Promise.allSettled([
      ...Array.from({ length: 3 }, () => make(thief)),
      tokens.revoke(leaked.id, by, signal),
      ...Array.from({ length: 40 }, () => make(thief)),
    ]);
    await expect(make(thief)).rejects.toEqual(refused('unauthenticated'));
    expect(made[3]?.status).toBe('fulfilled');
    expect(await left()).toEqual([owner.id]);
  });

  it('has none left of more than there may be by now', async () => {
    const owner = await make();
    const leaked = await make();
    for (let at = 0; at < 5; at += 1) await make(await principalOf(leaked));
    await start(2);
    await tokens.revoke(leaked.id, await principalOf(owner), signal);
    expect(await left()).toEqual([owner.id]);
  });
});

it('there are no more than there may be, however close together they are made', async () => {
  const made = await Promise.allSettled(Array.from({ length: 3 * MOST }, () => make()));
  expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(MOST);
  expect(await left()).toHaveLength(MOST);
});

it('a token ends itself and those that may do no more, and no other', async () => {
  const whole = await make();
  const narrow = await make(undefined, { prefix: 'backup/', scopes: ['read', 'write'] });
  const narrower = await make(undefined, { prefix: 'backup/old/', scopes: ['read'] });
  const by = await principalOf(narrow);
  await expect(tokens.revoke(whole.id, by, signal)).rejects.toEqual(refused('forbidden'));
  await tokens.revoke(narrower.id, by, signal);
  await tokens.revoke(narrow.id, by, signal);
  expect(await left()).toEqual([whole.id]);
});
