import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { AccountDirectory } from '../../src/auth/account-directory.js';
import { AttemptLimiter } from '../../src/auth/attempt-limiter.js';
import { BearerAuthenticator } from '../../src/auth/bearer.authenticator.js';
import { TokensService } from '../../src/auth/tokens.service.js';
import type { Account } from '../../src/auth/account.js';
import type { FileId } from '../../src/common/ids.js';
import type { AppConfig } from '../../src/config/app-config.js';
import { LIMITS } from '../../src/config/limits.js';
import type { Collection, StoredDocument } from '../../src/documents/document-store.js';
import { AccountLimits } from '../../src/http/account-limits.js';
import type { Principal } from '../../src/http/principal.js';
import { MemoryDocumentStore } from '../support/memory.document-store.js';

const NEVER = new AbortController().signal;

/** Documents of which a reading can be held up, after it has been done. */
class SlowDocuments extends MemoryDocumentStore {
  held: Promise<void> | undefined;
  reads = 0;

  override async find(collection: Collection, id: FileId, signal: AbortSignal): Promise<StoredDocument | undefined> {
    this.reads += 1;
    const { held } = this;
    const found = await super.find(collection, id, signal);
    await held;
    return found;
  }
}

let documents: SlowDocuments;
let accounts: AccountDirectory;
let authenticator: BearerAuthenticator;
let tokens: TokensService;
let admin: Account;

function requestWith(token: string): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  request.headers.authorization = `Bearer ${token}`;
  return request;
}

async function authenticate(token: string): Promise<Principal> {
  return authenticator.authenticate(requestWith(token));
}

async function make(): Promise<{ readonly id: FileId; readonly text: string }> {
  const wish = { accountId: admin.id, label: '', scopes: ['read', 'write'], prefix: '', expiresAt: null } as const;
  const { token, text } = await tokens.create(wish, undefined, NEVER);
  return { id: token.id, text };
}

beforeEach(async () => {
  documents = new SlowDocuments();
  const config = {
    node: null,
    listen: '127.0.0.1',
    peers: [],
    trusted_proxies: [],
    limits: { ...LIMITS, account_tokens_max: 5, accounts_max: 3 },
  } as unknown as AppConfig;
  accounts = new AccountDirectory(config, documents, new AccountLimits());
  authenticator = new BearerAuthenticator(config, accounts, new AttemptLimiter(config));
  tokens = new TokensService(config, documents, accounts, authenticator);
  admin = await accounts.createFirst('admin', NEVER);
});

describe('API tokens', () => {
  it('are looked up once, and then known at once', async () => {
    const { text } = await make();
    const before = documents.reads;
    const principal = await authenticate(text);
    for (let at = 0; at < 5; at += 1) expect(authenticator.authenticate(requestWith(text))).toBe(principal);
    expect(documents.reads).toBeLessThanOrEqual(before + 2); // the second notes that it is used
  });

  it('are not remembered by a lookup that began before they were revoked', async () => {
    const { id, text } = await make();
    const gate = Promise.withResolvers<undefined>();
    documents.held = gate.promise.then(() => undefined);
    const early = authenticate(text);
    documents.held = undefined;
    await tokens.revoke(id, { ...(await principalOfAdmin()), scopes: new Set(['admin']) }, NEVER);
    gate.resolve(undefined);
    await early.catch(() => undefined); // whatever came of it: it was asked before
    await expect(authenticate(text)).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('end with the one that made them, also if they were made in the moment in which that one was revoked', async () => {
    const maker = await make();
    const by = await authenticate(maker.text);
    const wish = { accountId: admin.id, label: '', scopes: ['read'], prefix: '', expiresAt: null } as const;
    const { text: before } = await tokens.create(wish, by, NEVER);
    await authenticate(before);
    const gate = Promise.withResolvers<undefined>();
    documents.held = gate.promise.then(() => undefined);
    const late = tokens.create(wish, by, NEVER);
    documents.held = undefined;
    const revoked = tokens.revoke(maker.id, { ...by, scopes: new Set(['admin']) }, NEVER);
    gate.resolve(undefined);
    await revoked;
    for (const text of [maker.text, before, (await late).text])
      await expect(authenticate(text)).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('are not compared by their ids alone', async () => {
    const { text } = await make();
    await authenticate(text);
    const wrong = `${text.slice(0, -1)}${text.endsWith('A') ? 'E' : 'A'}`;
    await expect(authenticate(wrong)).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('are as many as an account may have, and accounts too', async () => {
    for (let at = 0; at < 5; at += 1) await make();
    await expect(make()).rejects.toMatchObject({ code: 'too-many-tokens' });
    const quota = { bytes: null, files: null };
    for (const name of ['b', 'c']) await accounts.create({ name, role: 'user', quota }, NEVER);
    await expect(accounts.create({ name: 'd', role: 'user', quota }, NEVER)).rejects.toMatchObject({ code: 'too-many-accounts' });
  });

  it('let nobody in while it is not known which accounts there are', async () => {
    const place = { node: null, listen: '127.0.0.1', peers: [], trusted_proxies: [] };
    const config = { ...place, limits: LIMITS } as unknown as AppConfig;
    const later = new AccountDirectory(config, documents, new AccountLimits());
    const other = new BearerAuthenticator(config, later, new AttemptLimiter(config));
    documents.list = () => Promise.reject(new Error('the nodes are away'));
    await expect(Promise.resolve(other.authenticate(new IncomingMessage(new Socket())))).rejects.toThrow('the nodes are away');
  });
});

async function principalOfAdmin(): Promise<Principal> {
  const { text } = await make();
  return authenticate(text);
}
