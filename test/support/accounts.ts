import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from './client.ts';

/** A token as the API answers it. */
export interface TokenJson {
  readonly id: string;
  readonly token: string;
  readonly scopes: readonly string[];
  readonly expiresAt: string | null;
  readonly lastUsedAt: string | null;
}

/** Makes the first administrator of a server, and gives its token. */
export async function initAdmin(url: string, storage: string): Promise<string> {
  const secret = (await readFile(join(storage, 'admin-init-secret'), 'utf8')).trim();
  const answer = await new Client(url, undefined, secret).json('POST', '/admin/init', { name: 'admin' });
  if (answer.status !== 201) throw new Error(`POST /admin/init answered ${answer.status}: ${await answer.text()}`);
  return ((await answer.json()) as { token: TokenJson }).token.token;
}

/** Makes an account. Returns its id. */
export async function addAccount(admin: Client, fields: Readonly<Record<string, unknown>>): Promise<string> {
  const answer = await admin.json('POST', '/accounts', fields);
  if (answer.status !== 201) throw new Error(`POST /accounts answered ${answer.status}: ${await answer.text()}`);
  return ((await answer.json()) as { id: string }).id;
}

export async function makeToken(maker: Client, fields: Readonly<Record<string, unknown>> = {}): Promise<TokenJson> {
  const answer = await maker.json('POST', '/tokens', fields);
  if (answer.status !== 201) throw new Error(`POST /tokens answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as TokenJson;
}
