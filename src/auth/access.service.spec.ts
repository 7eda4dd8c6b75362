import type { IncomingMessage } from 'node:http';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { MemoryDocumentStore } from '../../test/support/memory.document-store.js';
import type { AppConfig } from '../config/app-config.js';
import { LIMITS } from '../config/limits.js';
import { AccountLimits } from '../http/account-limits.js';
import type { MetadataStore } from '../metadata/metadata-store.js';
import { AccessService, type InitializedAccount } from './access.service.js';
import { AccountDirectory } from './account-directory.js';
import { AttemptLimiter } from './attempt-limiter.js';
import { BearerAuthenticator } from './bearer.authenticator.js';
import { TokensService } from './tokens.service.js';

const { signal } = new AbortController();

let directory: string;
let documents: MemoryDocumentStore;
let service: AccessService;
let authenticator: BearerAuthenticator;

const secretFile = (): string => join(directory, 'admin-init-secret');

/** A process that starts now. */
function make(config: Partial<AppConfig> = {}): void {
  const place = { storage_directory: directory, node: null, listen: '127.0.0.1', peers: [] };
  const parts = { limits: LIMITS, trusted_proxies: [], ...place, ...config } as unknown as AppConfig;
  const accounts = new AccountDirectory(parts, documents, new AccountLimits());
  const attempts = new AttemptLimiter(parts);
  authenticator = new BearerAuthenticator(parts, accounts, attempts);
  const tokens = new TokensService(parts, documents, accounts, authenticator);
  service = new AccessService(accounts, tokens, attempts, {} as MetadataStore);
}

async function start(config: Partial<AppConfig> = {}): Promise<void> {
  make(config);
  await service.open();
}

function request(token: string | undefined, from = '127.0.0.1'): IncomingMessage {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return { headers, socket: { remoteAddress: from, localAddress: '127.0.0.1' } } as IncomingMessage;
}

async function init(until = signal): Promise<InitializedAccount> {
  return service.init(request(readFileSync(secretFile(), 'utf8').trim()), 'admin', until);
}

async function nameOf(token: string | undefined, from?: string): Promise<string> {
  return (await authenticator.authenticate(request(token, from))).name;
}

const refused = (code: string): unknown => expect.objectContaining({ code });

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dcloud-access-'));
  documents = new MemoryDocumentStore();
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

describe('dcloud admin init', () => {
  it('is done again if who asked was gone before the answer, also after a restart, and closes the store meanwhile', async () => {
    for (const isRestarted of [false, true]) {
      documents = new MemoryDocumentStore();
      await start();
      const client = new AbortController();
      service.accounts.onChange(() => client.abort(new Error('gone'))); // the account is made, and its token is not
      await expect(init(client.signal)).rejects.toThrow('gone');
      await expect(nameOf(undefined)).rejects.toEqual(refused('unauthenticated'));
      if (isRestarted) await start();
      const { account, text } = await init();
      expect(service.accounts.list()).toEqual([account]);
      expect(await nameOf(text)).toBe('admin');
      expect(existsSync(secretFile())).toBe(false);
      await start();
      expect(existsSync(secretFile())).toBe(false);
    }
  });

  it('is done once: of two at a time there is one account', async () => {
    await start();
    const [one, other] = await Promise.allSettled([init(), init()]);
    expect(one.status).toBe('fulfilled');
    expect(service.accounts.list()).toHaveLength(1);
    if (other.status === 'rejected') expect(other.reason).toEqual(refused('forbidden'));
    expect(existsSync(secretFile())).toBe(false);
  });
});

describe('a store of which the accounts are not found', () => {
  it('is closed as long as they cannot be read', async () => {
    await start();
    const { text } = await init();
    make();
    const list = jest.spyOn(documents, 'list').mockRejectedValue(new Error('no node answers'));
    await service.open();
    for (const token of [undefined, text]) await expect(nameOf(token)).rejects.toThrow('no node answers');
    list.mockRestore();
    await expect(nameOf(undefined)).rejects.toEqual(refused('unauthenticated'));
    expect(await nameOf(text)).toBe('admin');
  });

  it('is closed if there are none any more and their tokens are left, and can be begun anew', async () => {
    await start();
    const { account, text } = await init();
    await documents.remove('accounts', account.id, undefined, signal);
    await start();
    for (const token of [undefined, text]) await expect(nameOf(token)).rejects.toEqual(refused('unauthenticated'));
    const again = await init();
    expect(await nameOf(again.text)).toBe('admin');
    await expect(nameOf(text)).rejects.toEqual(refused('unauthenticated'));
  });

  it('is not closed because they are very many: each part of them has its time', async () => {
    await start();
    const { text } = await init();
    const quota = { bytes: null, files: null };
    for (let at = 0; at < 450; at += 1) await service.accounts.create({ name: `a${at}`, role: 'user', quota }, signal);
    const read = documents.list.bind(documents);
    jest.spyOn(documents, 'list').mockImplementation(async (collection, query, until) => {
      await sleep((query.limit * 200) / 100, undefined, { signal: until });
      return read(collection, query, until);
    });
    make({ limits: { ...LIMITS, node_call_ms_max: 600 } });
    await service.open();
    expect(service.accounts.list()).toHaveLength(451);
    expect(await nameOf(text)).toBe('admin');
  });

  it('serves nobody from elsewhere if it then turns out that there are none', async () => {
    make({ listen: '0.0.0.0' });
    const list = jest.spyOn(documents, 'list').mockRejectedValue(new Error('no node answers'));
    await service.open();
    list.mockRestore();
    await expect(nameOf(undefined, '10.0.0.7')).rejects.toEqual(refused('client-not-local'));
    expect(await nameOf(undefined)).toBe('store');
  });
});
