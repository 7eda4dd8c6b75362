import { DomainError } from '../common/errors.js';
import { ApiClient, type ApiFlags } from './api-client.js';

interface AccountJson {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly disabled: boolean;
  readonly quotaBytes: number | null;
  readonly quotaFiles: number | null;
}

/** A word and not null, of which the parser of the command line makes an empty text. */
export const NO_LIMIT = 'none';
export type QuotaLimit = number | typeof NO_LIMIT;

export interface QuotaFlags {
  readonly bytes?: QuotaLimit;
  readonly files?: QuotaLimit;
}

/** `dcloud account add` */
export async function addAccount(name: string, flags: ApiFlags & QuotaFlags & { readonly admin?: boolean }): Promise<void> {
  const body = { name, role: flags.admin === true ? 'admin' : 'user', ...quotaOf(flags) };
  const account = (await ApiClient.of(flags).call({ method: 'POST', path: '/accounts', body })) as AccountJson;
  process.stderr.write(`${account.name} can do nothing before it has a token: dcloud token create --account ${account.name}\n`);
  process.stdout.write(`${account.id}\n`);
}

/** `dcloud account list` */
export async function listAccounts(flags: ApiFlags): Promise<void> {
  for (const account of await accountsAt(ApiClient.of(flags))) {
    const { id, name, role, disabled, quotaBytes, quotaFiles } = account;
    const quota = `${quotaBytes ?? 'any'} bytes, ${quotaFiles ?? 'any'} files`;
    process.stdout.write(`${id}  ${name}  ${role}${disabled ? ', disabled' : ''}  ${quota}\n`);
  }
}

/** `dcloud account quota` */
export async function setQuota(name: string, flags: ApiFlags & QuotaFlags): Promise<void> {
  await change(name, flags, quotaOf(flags));
}

/** `dcloud account disable` */
export async function disableAccount(name: string, flags: ApiFlags & { readonly undo?: boolean }): Promise<void> {
  await change(name, flags, { disabled: flags.undo !== true });
}

/** The id of the account of a name. @throws DomainError `account-not-found` */
export async function accountIdOf(name: string, client: ApiClient): Promise<string> {
  const found = (await accountsAt(client)).find((account) => account.name === name);
  if (found === undefined) throw new DomainError('account-not-found', 'no account has this name');
  return found.id;
}

async function change(name: string, flags: ApiFlags, body: object): Promise<void> {
  const client = ApiClient.of(flags);
  await client.call({ method: 'PATCH', path: `/accounts/${await accountIdOf(name, client)}`, body });
}

async function accountsAt(client: ApiClient): Promise<readonly AccountJson[]> {
  return ((await client.call({ method: 'GET', path: '/accounts' })) as { items: readonly AccountJson[] }).items;
}

function quotaOf({ bytes, files }: QuotaFlags): object {
  return {
    ...(bytes !== undefined && { quotaBytes: bytes === NO_LIMIT ? null : bytes }),
    ...(files !== undefined && { quotaFiles: files === NO_LIMIT ? null : files }),
  };
}
