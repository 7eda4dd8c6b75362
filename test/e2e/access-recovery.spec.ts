import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addAccount, initAdmin, makeToken, type TokenJson } from '../support/accounts.js';
import { Client } from '../support/client.js';
import { runCli } from '../support/run-cli.js';
import { TestServer } from '../support/server.js';
import { eventually } from '../support/shard-files.js';

const CONFIG = { node_count: 4, redundancy_count: 1 };

let server: TestServer;
let admin: string;
let ada: string;
let adaId: string;
let revoked: TokenJson;

const as = (token?: string): Client => new Client(server.url, undefined, token);
const statusOf = async (answer: Promise<Response>): Promise<number> => (await answer).status;

/** All that accounts, tokens and files of anybody are, as those see it who may. */
async function everything(): Promise<unknown> {
  const json = async (client: Client, path: string): Promise<unknown> => (await client.call(path)).json();
  return {
    accounts: await json(as(admin), '/accounts'),
    ada: await json(as(admin), `/accounts/${adaId}`),
    tokens: [await json(as(admin), '/tokens'), await json(as(ada), '/tokens')],
    files: [await as(admin).listAll(), await as(ada).listAll()],
    statuses: [
      await statusOf(as().call('/files')),
      await statusOf(as(revoked.token).call('/files')),
      await statusOf(as(ada).tryPut('too large', Buffer.alloc(6000))),
      await statusOf(as(ada).call('/repair')),
    ],
  };
}

async function restart(): Promise<void> {
  server = await TestServer.start({ directory: server.directory, config: CONFIG });
}

beforeAll(async () => {
  server = await TestServer.start({ config: CONFIG });
  await as().put('before accounts', 'old');
  admin = await initAdmin(server.url, server.storage);
  adaId = await addAccount(as(admin), { name: 'ada', quotaBytes: 10_000, quotaFiles: 5 });
  ada = (await makeToken(as(admin), { accountId: adaId })).token;
  const { id } = await as(ada).put('of ada', Buffer.alloc(3000));
  await as(ada).replace(id, Buffer.alloc(5000));
  revoked = await makeToken(as(ada));
  expect(await statusOf(as(ada).call(`/tokens/${revoked.id}`, { method: 'DELETE' }))).toBe(204);
});

afterAll(async () => {
  await server.remove();
  await rm(server.directory, { recursive: true, force: true });
});

describe('accounts, tokens, owners and quotas', () => {
  it('are as before when the index was made anew, and nothing revoked is back', async () => {
    expect(await everything()).toMatchObject({ statuses: [401, 401, 507, 403] });
    // When a token was last used is kept beside the answers.
    const before = await eventually(everything, (found) => !JSON.stringify(found).includes('"lastUsedAt":null'), 5000);
    await server.stop();
    await rm(join(server.storage, 'index'), { recursive: true });
    const rebuilt = await runCli(['rebuild-index', '--config', server.configFile]);
    expect(rebuilt.code).toBe(0);
    await restart();
    expect(await everything()).toEqual(before);
    expect(existsSync(join(server.storage, 'admin-init-secret'))).toBe(false);
  });

  it('are as before when the keys were rotated, and are not left on the old one', async () => {
    const before = await everything();
    expect((await runCli(['keys', 'rotate', '--config', server.configFile])).code).toBe(0);
    const ring = async (): Promise<number> =>
      (JSON.parse(await readFile(join(server.storage, 'key-ring.json'), 'utf8')) as { keys: unknown[] }).keys.length;
    expect(await eventually(ring, (keys) => keys === 1, 20_000)).toBe(1);
    expect(await everything()).toEqual(before);
    await server.stop();
    await restart();
    expect(await everything()).toEqual(before);
  });
});
