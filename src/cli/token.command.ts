import { accountIdOf } from './account.command.js';
import { ApiClient, type ApiFlags } from './api-client.js';

interface TokenJson {
  readonly id: string;
  readonly label: string;
  readonly scopes: readonly string[];
  readonly prefix: string;
  readonly expiresAt: string | null;
  readonly lastUsedAt: string | null;
}

/** What a new token is to be. */
export interface TokenFlags extends ApiFlags {
  readonly account?: string;
  readonly label?: string;
  readonly scope?: readonly string[];
  readonly prefix?: string;
  /** Milliseconds from now. */
  readonly expires?: number;
}

/** `dcloud token create`: prints the token, and nothing else on standard output. */
export async function createToken(flags: TokenFlags): Promise<void> {
  const { account, label, scope, prefix, expires } = flags;
  const client = ApiClient.of(flags);
  const body = {
    ...(account !== undefined && { accountId: await accountIdOf(account, client) }),
    ...(label !== undefined && { label }),
    ...(scope !== undefined && { scopes: scope }),
    ...(prefix !== undefined && { prefix }),
    ...(expires !== undefined && { expiresAt: new Date(Date.now() + expires).toISOString() }),
  };
  const made = (await client.call({ method: 'POST', path: '/tokens', body })) as TokenJson & { readonly token: string };
  process.stderr.write(`Token ${made.id}, which is shown this once:\n`);
  process.stdout.write(`${made.token}\n`);
}

/** `dcloud token list` */
export async function listTokens(flags: ApiFlags & { readonly account?: string }): Promise<void> {
  const client = ApiClient.of(flags);
  const query = flags.account === undefined ? '' : `?accountId=${await accountIdOf(flags.account, client)}`;
  const { items } = (await client.call({ method: 'GET', path: `/tokens${query}` })) as { items: readonly TokenJson[] };
  for (const { id, label, scopes, prefix, expiresAt, lastUsedAt } of items) {
    const told = [id, scopes.join(','), prefix === '' ? 'any name' : `names from ${JSON.stringify(prefix)}`];
    const times = [`ends ${expiresAt ?? 'never'}`, `used ${lastUsedAt ?? 'never'}`];
    process.stdout.write(`${[...told, ...times, JSON.stringify(label)].join('  ')}\n`);
  }
}

/** `dcloud token revoke` */
export async function revokeToken(id: string, flags: ApiFlags): Promise<void> {
  await ApiClient.of(flags).call({ method: 'DELETE', path: `/tokens/${encodeURIComponent(id)}` });
}
