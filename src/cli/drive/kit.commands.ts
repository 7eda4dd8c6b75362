import { readFile } from 'node:fs/promises';
import { formatRecoveryKit, openRecoveryKit, sealRecoveryKit } from '../../sdk/recovery-kit.js';
import type { AgeOpener, AgeRecipient } from '../../sdk/age-seal.js';
import { CliError } from './cli-error.js';
import type { CommonFlags, Context } from './context.js';
import { writeResult } from './write-result.js';

export interface SealFlags extends CommonFlags {
  readonly recipient?: readonly string[];
  readonly replace?: boolean;
}

export interface KitFlags extends SealFlags {
  readonly newCode?: boolean;
}

/** `dcloud kit export` */
export async function exportKit(context: Context, file: string, flags: KitFlags): Promise<void> {
  const { secrets, signal, output } = context;
  const drive = await context.drive();
  const recoveryCode =
    flags.newCode === true
      ? await drive.changeRecoveryCode({ password: await secrets.ask('Password', signal) }, { signal })
      : await secrets.ask('Recovery code (--new-code makes another one)', signal);
  const kit = await drive.recoveryKit(recoveryCode);
  const sealed = await sealRecoveryKit(kit, await recipientOf(context, flags));
  const bytes = (async function* (): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(sealed);
  })();
  await writeResult(context, { file, bytes, isReplacing: flags.replace === true });
  output.json({ file, state: 'written' });
  output.note(`the kit is in ${file}: keep it apart from this machine. It opens with "dcloud kit show" and with "age --decrypt"`);
}

/** `dcloud kit show` */
export async function showKit(
  context: Context,
  file: string,
  flags: CommonFlags & { readonly identity?: string },
): Promise<void> {
  const sealed = new Uint8Array(await readFile(file));
  const kit = await openRecoveryKit(sealed, await openerOf(context, flags.identity));
  context.output.json(kit);
  context.output.print(formatRecoveryKit(kit));
}

/** For whom something is sealed: the given keys, or who knows a passphrase. */
export async function recipientOf({ secrets, signal }: Context, { recipient }: SealFlags): Promise<AgeRecipient> {
  if (recipient !== undefined) return { publicKeys: recipient };
  return { passphrase: await secrets.askNew('New passphrase for the file', signal) };
}

async function openerOf({ secrets, signal }: Context, identity: string | undefined): Promise<AgeOpener> {
  if (identity === undefined) return { passphrase: await secrets.ask('Passphrase of the file', signal) };
  const lines = (await readFile(identity, 'utf8')).split(/\r?\n/u);
  const privateKey = lines.find((line) => line.startsWith('AGE-SECRET-KEY-'));
  if (privateKey === undefined) throw new CliError('usage', `${identity} holds no private key of age`);
  return { privateKey };
}
