import { type Command, InvalidArgumentError } from 'commander';
import {
  addAccount,
  disableAccount,
  listAccounts,
  NO_LIMIT,
  type QuotaFlags,
  type QuotaLimit,
  setQuota,
} from './account.command.js';
import { initAdmin } from './admin.command.js';
import type { ApiFlags } from './api-client.js';
import { type ConfigFlags, readConfig } from './config-flags.js';
import { duration } from './drive/option-values.js';
import { createToken, listTokens, revokeToken } from './token.command.js';
import { withErrors } from './with-errors.js';

const URL_OPTION = '--url <url>';
const URL_HELP = 'the server (else DCLOUD_URL, else http://127.0.0.1:5000); the token is in DCLOUD_TOKEN';
const BYTES_HELP = 'bytes of content that it may store, like 500M or 10G; none: no limit';
const FILES_HELP = 'files that it may store; none: no limit';

/** The commands by which people and programs are let in. */
export function addAccessCommands(program: Command): void {
  addAdmin(program);
  addAccounts(program);
  addTokens(program);
}

function addAdmin(program: Command): void {
  program
    .command('admin')
    .description('begin with accounts')
    .command('init')
    .description('make the first administrator, and print a token for it; from then on every request needs one')
    .option('--config <file>', 'configuration file of the server, which need not run')
    .option('--node <number>', 'in a cluster: the peer that holds the index, on whose machine this must run', wholeNumber)
    .option('--name <name>', 'name of the account', 'admin')
    .option('--url <url>', 'the server, if it runs at another address than the configuration says')
    .action(
      withErrors(async (flags: ConfigFlags & { readonly name: string; readonly url?: string }) =>
        initAdmin(await readConfig(flags), flags),
      ),
    );
}

function addAccounts(program: Command): void {
  const account = program.command('account').description('look after the accounts');
  account
    .command('add <name>')
    .description('make an account')
    .option('--admin', 'one that may look after the store')
    .option('--bytes <size>', BYTES_HELP, size)
    .option('--files <number>', FILES_HELP, count)
    .option(URL_OPTION, URL_HELP)
    .action(withErrors(addAccount));
  account.command('list').description('list the accounts').option(URL_OPTION, URL_HELP).action(withErrors(listAccounts));
  account
    .command('quota <name>')
    .description('change what an account may store')
    .option('--bytes <size>', BYTES_HELP, size)
    .option('--files <number>', FILES_HELP, count)
    .option(URL_OPTION, URL_HELP)
    .action((name: string, flags: ApiFlags & QuotaFlags, command: Command) => {
      if (flags.bytes === undefined && flags.files === undefined) command.error('error: it takes --bytes, --files or both');
      return withErrors(setQuota)(name, flags);
    });
  account
    .command('disable <name>')
    .description('accept nothing of an account any more; its files stay')
    .option('--undo', 'accept it again')
    .option(URL_OPTION, URL_HELP)
    .action(withErrors(disableAccount));
}

function addTokens(program: Command): void {
  const token = program.command('token').description('look after API tokens');
  token
    .command('create')
    .description('make a token, and print it this once')
    .option('--label <text>', 'to know it again')
    .option('--scope <scopes>', 'of read, write and admin, with commas between (default: read,write)', list)
    .option('--prefix <text>', 'only files whose names begin with it')
    .option('--expires <time>', 'when it ends, like 12h or 30d (default: never)', duration)
    .option('--account <name>', 'for another account: only administrators')
    .option(URL_OPTION, URL_HELP)
    .action(withErrors(createToken));
  token
    .command('list')
    .description('list the tokens, without their secrets')
    .option('--account <name>', 'of another account: only administrators')
    .option(URL_OPTION, URL_HELP)
    .action(withErrors(listTokens));
  token
    .command('revoke <id>')
    .description('end a token, and those that were made by it')
    .option(URL_OPTION, URL_HELP)
    .action(withErrors(revokeToken));
}

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 1e3, M: 1e6, G: 1e9, T: 1e12 };

function size(text: string): QuotaLimit {
  if (text === NO_LIMIT) return NO_LIMIT;
  const [, digits, unit = ''] = /^(\d{1,12})([KMGT]?)$/.exec(text) ?? [];
  const bytes = Number(digits) * (UNITS[unit] ?? Number.NaN);
  if (!Number.isSafeInteger(bytes)) throw new InvalidArgumentError('It must be like 500M or 10G, or none.');
  return bytes;
}

function count(text: string): QuotaLimit {
  if (text === NO_LIMIT) return NO_LIMIT;
  if (!/^\d{1,12}$/.test(text)) throw new InvalidArgumentError('It must be a whole number, or none.');
  return Number(text);
}

function list(text: string): readonly string[] {
  return text.split(',');
}

function wholeNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}
