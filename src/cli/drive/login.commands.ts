import { readFile } from 'node:fs/promises';
import type { Drive } from '../../sdk/drive-api.js';
import { SdkError } from '../../sdk/errors.js';
import { DEFAULT_URL } from '../api-client.js';
import { CliError } from './cli-error.js';
import type { CommonFlags, Context } from './context.js';

export interface LoginFlags extends CommonFlags {
  readonly server?: string;
  readonly user?: string;
}

export interface RegisterFlags extends LoginFlags {
  readonly invitationFile?: string;
}

/** `dcloud register` */
export async function register(context: Context, name: string | undefined, flags: RegisterFlags): Promise<void> {
  const { userName, server } = await whoAndWhere(context, name, flags);
  const invitation = await invitationOf(context, flags);
  const password = await context.secrets.askNew('New password', context.signal);
  const client = await context.server(server);
  const registration = { userName, password, ...(invitation !== '' && { invitation }) };
  const { drive, recoveryCode } = await client.register(registration, { signal: context.signal });
  await enter(context, drive, server);
  tellCode(context, drive, recoveryCode);
}

async function invitationOf({ secrets, signal }: Context, { invitationFile }: RegisterFlags): Promise<string> {
  if (invitationFile !== undefined) return (await readFile(invitationFile, 'utf8')).trim();
  return secrets.isInteractive ? (await secrets.askOptional('Invitation (empty: none)', signal)).trim() : '';
}

/** `dcloud login` */
export async function login(context: Context, name: string | undefined, flags: LoginFlags): Promise<void> {
  const { userName, server } = await whoAndWhere(context, name, flags);
  const password = await context.secrets.ask('Password', context.signal);
  const drive = await (await context.server(server)).login({ userName, password }, { signal: context.signal });
  await enter(context, drive, server);
  context.output.json({ userName: drive.account.userName, accountId: drive.account.id, server });
  context.output.note(`you are logged in at ${server} as ${drive.account.userName}`);
}

/** `dcloud recover` */
export async function recover(context: Context, name: string | undefined, flags: LoginFlags): Promise<void> {
  const { userName, server } = await whoAndWhere(context, name, flags);
  const { secrets, signal } = context;
  const code = await secrets.ask('Recovery code', signal);
  const newPassword = await secrets.askNew('New password', signal);
  const client = await context.server(server);
  const { drive, recoveryCode } = await client.recover({ userName, recoveryCode: code, newPassword }, { signal });
  await enter(context, drive, server);
  tellCode(context, drive, recoveryCode);
}

/** `dcloud logout`: also without the server, which ends the session by itself. */
export async function logout(context: Context): Promise<void> {
  const settings = await context.profile.readableSettings();
  if (settings !== undefined) {
    try {
      const drive = await (await context.server(settings.server)).resume({ signal: context.signal });
      await drive?.logout({ signal: context.signal });
    } catch (error) {
      if (!(error instanceof SdkError)) throw error;
      if (error.kind !== 'session-over') context.output.warn(`the server was not told: ${error.message}`);
    }
  }
  await context.profile.forget();
  context.output.json({ profile: context.profile.name, state: 'logged-out' });
}

/** `dcloud whoami` */
export async function whoami(context: Context): Promise<void> {
  const drive = await context.drive();
  const { userName, id } = drive.account;
  const settings = await context.profile.settings();
  const profile = context.profile.name;
  context.output.json({ userName, accountId: id, server: settings?.server, profile });
  context.output.print(`${context.output.shown(userName)} (${id}) at ${settings?.server ?? ''}, profile ${profile}\n`);
}

/** @throws CliError if another one is logged in by this profile, whose keys would be lost */
async function whoAndWhere(
  { profile }: Context,
  name: string | undefined,
  { server, user }: LoginFlags,
): Promise<{ readonly userName: string; readonly server: string }> {
  const known = await profile.readableSettings();
  const userName = name ?? user ?? known?.userName;
  if (userName === undefined) throw new CliError('usage', 'say who you are: give your user name');
  const url = server ?? known?.server ?? process.env['DCLOUD_URL'] ?? DEFAULT_URL;
  const isOther = known !== undefined && (known.userName !== userName || originOf(known.server) !== originOf(url));
  if (isOther) {
    const told = `the profile "${profile.name}" belongs to ${known.userName} at ${known.server}`;
    throw new CliError('conflict', `${told}: log out first, or take another one by --profile`);
  }
  return { userName, server: url };
}

function originOf(server: string): string {
  return URL.canParse(server) ? new URL(server).origin : server;
}

async function enter(context: Context, drive: Drive, server: string): Promise<void> {
  context.adopt(drive);
  await context.profile.keep({ server, userName: drive.account.userName });
}

/** The one thing that cannot be had again. */
export function tellCode({ output }: Context, { account }: Pick<Drive, 'account'>, recoveryCode: string): void {
  output.json({ userName: account.userName, accountId: account.id, recoveryCode });
  output.note(
    'This is your recovery code. It is shown this once: without it, a forgotten password is the end of everything that you store.',
  );
  output.print(`${recoveryCode}\n`);
}
