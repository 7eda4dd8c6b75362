import type { SessionEntry } from '../../sdk/drive-api.js';
import { CliError } from './cli-error.js';
import type { CommonFlags, Context } from './context.js';
import { tellCode } from './login.commands.js';
import { aligned } from './visible.js';

/** `dcloud password` */
export async function changePassword(context: Context): Promise<void> {
  const { secrets, signal, output } = context;
  const drive = await context.drive();
  const password = await secrets.ask('Password of now', signal);
  const newPassword = await secrets.askNew('New password', signal);
  await drive.changePassword({ password, newPassword }, { signal });
  output.json({ state: 'changed' });
  output.note('the password is changed, and all other sessions have ended');
}

/** `dcloud rekey code`: another recovery code. */
export async function changeCode(context: Context): Promise<void> {
  const drive = await context.drive();
  const password = await context.secrets.ask('Password', context.signal);
  tellCode(context, drive, await drive.changeRecoveryCode({ password }, { signal: context.signal }));
}

/** `dcloud rekey identity` */
export async function changeIdentity(context: Context): Promise<void> {
  const drive = await context.drive();
  await drive.changeIdentity({ signal: context.signal });
  context.output.json({ state: 'changed' });
  context.output.note('you have new keys: compare safety numbers again with everybody who had compared them');
}

/** `dcloud rekey all`: after somebody may have got hold of the keys. */
export async function changeMasterKey(context: Context): Promise<void> {
  const { secrets, signal } = context;
  const drive = await context.drive();
  const password = await secrets.ask('Password of now', signal);
  const newPassword = await secrets.askNew('New password', signal);
  const { recoveryCode } = await drive.changeMasterKey({ password, newPassword }, { signal });
  tellCode(context, drive, recoveryCode);
}

/** `dcloud contacts list` */
export async function listContacts(context: Context): Promise<void> {
  const { output, signal } = context;
  const rows: string[][] = [];
  for (const contact of await (await context.drive()).contacts.list({ signal })) {
    output.json(contact);
    rows.push([output.shown(contact.userName), contact.isVerified ? 'compared' : 'not compared', contact.accountId]);
  }
  output.print(aligned(rows));
}

export interface VerifyFlags extends CommonFlags {
  readonly number?: string;
}

/** `dcloud contacts verify`: shows the number; it counts as compared when it is typed or given as the other side has it. */
export async function verifyContact(context: Context, userName: string, { number }: VerifyFlags): Promise<void> {
  const { output, secrets, signal } = context;
  const { contacts } = await context.drive();
  const own = await contacts.safetyNumber(userName, { signal });
  let theirs = number;
  if (theirs === undefined) {
    output.print(`${grouped(own)}\n`);
    if (!secrets.isInteractive) {
      output.json({ userName, safetyNumber: own, isVerified: false });
      return;
    }
    output.note(`Compare it with ${userName} in another way than through this server.`);
    const isSame = (await secrets.askOptional('Is it the same on both sides? Type yes', signal)).trim().toLowerCase() === 'yes';
    theirs = isSame ? own : '';
  }
  if (digits(theirs) !== digits(own))
    throw new CliError('damaged', 'the numbers were not said to be the same: nothing was changed');
  await contacts.verify(userName, { signal });
  output.json({ userName, safetyNumber: own, isVerified: true });
  output.note(`${userName} is who you think, as long as the keys stay`);
}

function digits(number: string): string {
  return number.replaceAll(/\D/gu, '');
}

/** Three lines of four groups, as people read them to each other. */
function grouped(number: string): string {
  const groups = digits(number).match(/.{1,5}/gu) ?? [];
  const lines = [groups.slice(0, 4), groups.slice(4, 8), groups.slice(8)];
  return lines.map((line) => line.join(' ')).join('\n');
}

/** `dcloud sessions list` */
export async function listSessions(context: Context): Promise<void> {
  const { output, signal } = context;
  const sessions = await (await context.drive()).sessions({ signal });
  for (const session of sessions) output.json(session);
  output.print(aligned(sessions.map(sessionRow)));
}

function sessionRow({ id, isOwn, createdAt, expiresAt, usedAt }: SessionEntry): string[] {
  const used = usedAt === undefined ? 'not used lately' : `used ${usedAt.toISOString()}`;
  return [id, isOwn ? 'this one' : '', `since ${createdAt.toISOString()}`, `until ${expiresAt.toISOString()}`, used];
}

/** `dcloud sessions end` */
export async function endSession(context: Context, id: string): Promise<void> {
  await (await context.drive()).endSession(id, { signal: context.signal });
  context.output.json({ id, state: 'ended' });
}
