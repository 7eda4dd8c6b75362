import { passwordKey, recoveryKey } from './account-keys.js';
import { openAccount, sealAccount, unlockMaster } from './account-seal.js';
import type { AccountSession, Equipment } from './account-session.js';
import { composeDrive, partsOf } from './compose-drive.js';
import { DriveAccount } from './drive-account.js';
import type { CallOptions, Drive, DriveServer, LinkView } from './drive-api.js';
import type { KeptAccount } from './device.js';
import { SdkError } from './errors.js';
import { fetchBundle, proveAndLogIn, userNameOf, type BegunSession, type KeptBundle } from './login-calls.js';
import { OpenedLinkView } from './link-view.js';
import { beginLoginChange, wrapAnew } from './login-change.js';
import { openSession } from './open-session.js';
import { formatRecoveryCode, newRecoveryCode, parseRecoveryCode } from './recovery-code.js';
import { registerAccount } from './registration.js';
import { signalOf } from './signal-of.js';
import type { Transport } from './transport.js';
import type { UserName } from '../common/user-name.js';

/** One server, and the ways to a drive on it. */
export class DriveGate implements DriveServer {
  constructor(
    private readonly transport: Transport,
    private readonly equipment: Equipment,
  ) {}

  async register(
    { userName: given, password, invitation }: Parameters<DriveServer['register']>[0],
    options?: CallOptions,
  ): Promise<{ readonly drive: Drive; readonly recoveryCode: string }> {
    const [userName, signal, code] = [userNameOf(given), signalOf(options), newRecoveryCode()];
    const serverKey = await registerAccount(this.transport, { userName, password, invitation, code }, signal);
    const drive = await this.enter(userName, password, { serverKey, signal });
    return { drive, recoveryCode: formatRecoveryCode(code) };
  }

  async login({ userName: given, password }: Parameters<DriveServer['login']>[0], options?: CallOptions): Promise<Drive> {
    const userName = userNameOf(given);
    const serverKey = await this.equipment.device.readableServerKey(userName);
    return this.enter(userName, password, { serverKey, signal: signalOf(options) });
  }

  async recover(
    { userName: given, recoveryCode, newPassword }: Parameters<DriveServer['recover']>[0],
    options?: CallOptions,
  ): Promise<{ readonly drive: Drive; readonly recoveryCode: string }> {
    const [userName, signal, newCode] = [userNameOf(given), signalOf(options), newRecoveryCode()];
    const code = parseRecoveryCode(recoveryCode);
    const known = await this.equipment.device.readableServerKey(userName);
    const secret = formatRecoveryCode(code);
    const begun = await proveAndLogIn(this.transport, { userName, factor: 'recovery', secret, serverKey: known }, signal);
    const { session, serverKey } = begun;
    const transport = this.transport.as(session);
    const change = { userName, serverKey, password: undefined, newPassword, newCode };
    const ready = await beginLoginChange(transport, change, signal);
    const { sealed, identity } = await fetchBundle(transport, signal);
    const master = await proven(unlockMaster(sealed, 'recovery', (accountId) => recoveryKey(code, accountId)));
    const { hash, revision, ...content } = await openAccount(sealed, identity, master);
    const wraps = await wrapAnew(master, ready, undefined);
    const next = await sealAccount({ ...content, wraps, revision: revision + 1, previousHash: hash }, identity);
    await ready.finish({ sealed: next, identity }, signal).catch((error: unknown) => {
      // Whether it was made, the new password tells.
      if (!(error instanceof SdkError) || error.kind !== 'in-doubt') throw error;
    });
    const drive = await this.enter(userName, newPassword, { serverKey, signal });
    return { drive, recoveryCode: formatRecoveryCode(newCode) };
  }

  async resume(options?: CallOptions): Promise<Drive | undefined> {
    const { device } = this.equipment;
    const kept = await device.account();
    if (kept === undefined) return undefined;
    const [signal, serverKey] = [signalOf(options), await device.serverKey(kept.userName)];
    try {
      const bundle = await fetchBundle(this.transport.as(kept.session), signal);
      return (await this.open(kept, { bundle, serverKey }, signal)).drive;
    } catch (error) {
      // Its key is of no use any more: what is not there nobody finds.
      if (error instanceof SdkError && error.kind === 'session-over') await device.forgetAccount();
      throw error;
    }
  }

  openLink(url: string, options: CallOptions & { readonly password?: string } = {}): Promise<LinkView> {
    return OpenedLinkView.open(this.transport, this.equipment, { ...options, url });
  }

  private async enter(
    userName: UserName,
    password: string,
    { serverKey, signal }: { readonly serverKey: string | undefined; readonly signal: AbortSignal },
  ): Promise<Drive> {
    const begun = await proveAndLogIn(this.transport, { userName, factor: 'password', secret: password, serverKey }, signal);
    const kept = { userName, session: begun.session, master: await masterOf(begun) };
    await this.equipment.device.forgetUnreadable(kept.master);
    const { drive, session } = await this.open(kept, begun, signal);
    await session.root(signal); // made, if whoever registered did not get that far
    await this.equipment.device.pinServer(userName, begun.serverKey);
    await this.equipment.device.keepAccount(kept);
    return drive;
  }

  private async open(
    account: KeptAccount,
    { bundle, serverKey }: { readonly bundle: KeptBundle; readonly serverKey: string | undefined },
    signal: AbortSignal,
  ): Promise<{ readonly drive: Drive; readonly session: AccountSession }> {
    const session = await openSession(this.transport, this.equipment, { account, bundle }, signal);
    const { regrant, ...parts } = partsOf(session);
    return { session, drive: composeDrive({ ...parts, account: new DriveAccount(session, serverKey, regrant) }) };
  }
}

function masterOf({ bundle, exportKey }: BegunSession): ReturnType<typeof unlockMaster> {
  return proven(unlockMaster(bundle.sealed, 'password', (accountId) => passwordKey(exportKey, accountId)));
}

/** The server has seen that the secret is right: what does not open by it now was exchanged. */
async function proven<Result>(opening: Promise<Result>): Promise<Result> {
  try {
    return await opening;
  } catch (error) {
    throw error instanceof SdkError && error.kind === 'wrong-key' ? new SdkError('damaged') : error;
  }
}
