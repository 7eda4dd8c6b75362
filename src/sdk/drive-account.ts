import { newMasterKey, type MasterKey } from './account-keys.js';
import { sealAccount, type AccountContent } from './account-seal.js';
import type { AccountSession } from './account-session.js';
import type { Bytes } from './bytes.js';
import type { AccountCalls, CallOptions, ContactCalls, SessionEntry } from './drive-api.js';
import { DriveContacts } from './drive-contacts.js';
import { SdkError } from './errors.js';
import { changeIdentity } from './key-change.js';
import { fetchBundle, requireEtag, userNameOf } from './login-calls.js';
import { beginLoginChange, wrapAnew, type NewUnlocks } from './login-change.js';
import { formatRecoveryCode, newRecoveryCode, parseRecoveryCode } from './recovery-code.js';
import type { RecoveryKit } from './recovery-kit.js';
import { halfNumber } from './safety-number.js';
import { signalOf } from './signal-of.js';

/** What others have to do when the keys for others were changed: the sharing part grants anew. */
export type AfterIdentityChange = (signal: AbortSignal) => Promise<void>;

/** The account: its sessions, its secrets and its keys. */
export class DriveAccount implements AccountCalls {
  readonly contacts: ContactCalls;

  /** @param serverKey by which this account logs in, if it is known on this device */
  constructor(
    private readonly session: AccountSession,
    private readonly serverKey: string | undefined,
    private readonly afterIdentityChange: AfterIdentityChange = () => Promise.resolve(),
  ) {
    this.contacts = new DriveContacts(session);
  }

  get account(): { readonly id: string; readonly userName: string } {
    return this.session.account;
  }

  async sessions(options?: CallOptions): Promise<readonly SessionEntry[]> {
    const { body } = await this.session.transport.json({ method: 'GET', path: '/auth/sessions' }, signalOf(options));
    return body.objects('sessions').map((entry) => ({
      id: entry.id('id'),
      isOwn: entry.flag('isOwn'),
      createdAt: entry.time('createdAt'),
      expiresAt: entry.time('expiresAt'),
      usedAt: entry.has('usedAt') ? entry.time('usedAt') : undefined,
    }));
  }

  async endSession(id: string, options?: CallOptions): Promise<void> {
    const path = `/auth/sessions/${encodeURIComponent(id)}`;
    await this.session.transport.json({ method: 'DELETE', path }, signalOf(options));
  }

  /** On this device it is over whatever the server says: nobody is kept logged in by a broken line. */
  async logout(options?: CallOptions): Promise<void> {
    await this.session.forget();
    try {
      await this.session.transport.json({ method: 'DELETE', path: '/auth/session' }, signalOf(options));
    } catch (error) {
      if (!(error instanceof SdkError) || error.kind !== 'session-over') throw error;
    }
  }

  close(): Promise<void> {
    return this.session.close();
  }

  async recoveryKit(recoveryCode: string): Promise<RecoveryKit> {
    const { account, transport, state } = this.session;
    return {
      server: transport.origin,
      userName: account.userName,
      accountId: account.id,
      recoveryCode: formatRecoveryCode(parseRecoveryCode(recoveryCode)),
      serverKey: this.serverKey ?? '',
      ownNumber: await halfNumber(state.bundle),
      madeAt: new Date(),
    };
  }

  async changePassword(
    { password, newPassword }: { readonly password: string; readonly newPassword: string },
    options?: CallOptions,
  ): Promise<void> {
    const signal = signalOf(options);
    await this.changeLogin({ password, newPassword, newCode: undefined }, (unlocks) => this.rewrapped(unlocks), signal);
  }

  async changeRecoveryCode({ password }: { readonly password: string }, options?: CallOptions): Promise<string> {
    const newCode = newRecoveryCode();
    const change = { password, newPassword: undefined, newCode };
    await this.changeLogin(change, ({ code }) => this.rewrapped({ code, passwordExport: undefined }), signalOf(options));
    return formatRecoveryCode(newCode);
  }

  async changeIdentity(options?: CallOptions): Promise<void> {
    const signal = signalOf(options);
    await this.session.refresh(signal);
    const { opened, master, identity, bundle } = this.session.state;
    const next = await changeIdentity(master, { identity, bundle });
    const content = { ...succeeding(opened), seeds: next.seeds, identityVersion: next.identity.version };
    await this.session.replace({ sealed: await sealAccount(content, next.bundle), identity: next.bundle }, signal);
    await this.afterIdentityChange(signal);
  }

  async changeMasterKey(
    { password, newPassword }: { readonly password: string; readonly newPassword?: string },
    options?: CallOptions,
  ): Promise<{ readonly recoveryCode: string }> {
    const signal = signalOf(options);
    await this.session.refresh(signal);
    await this.session.finishMasterChange(signal);
    const newCode = newRecoveryCode();
    await this.changeLogin({ password, newPassword, newCode }, (unlocks) => this.underNewMaster(unlocks), signal);
    await this.session.finishMasterChange(signal);
    await this.afterIdentityChange(signal);
    return { recoveryCode: formatRecoveryCode(newCode) };
  }

  /** @param make what is to be kept from now on, of what the session has then */
  private async changeLogin(
    change: { readonly password: string; readonly newPassword: string | undefined; readonly newCode: Bytes | undefined },
    make: (unlocks: NewUnlocks) => Promise<ChangedKeys>,
    signal: AbortSignal,
  ): Promise<void> {
    const { session, serverKey } = this;
    const userName = userNameOf(session.account.userName);
    const ready = await beginLoginChange(session.transport, { ...change, userName, serverKey }, signal);
    // Read behind the first half: what somebody changed in between makes the second one fail, and what was before is in here.
    await session.adopt(await fetchBundle(session.transport, signal), signal);
    const { content, identity } = await make(ready);
    const bundle = { sealed: await sealAccount(content, identity), identity };
    const etag = await ready.finish(bundle, signal).then(
      (answer) => requireEtag(answer.etag),
      async (error: unknown) => (await session.ifMade(error, bundle, signal)).etag,
    );
    await session.adopt({ ...bundle, etag }, signal, content.master);
  }

  private async rewrapped(unlocks: NewUnlocks): Promise<ChangedKeys> {
    const { opened, kept } = this.session.state;
    const wraps = await wrapAnew(opened.master, unlocks, opened.wraps);
    return { content: { ...succeeding(opened), wraps }, identity: kept.identity };
  }

  /** New keys for others with it: whoever had the old master key had the seeds of the old ones. They never lie under the old one. */
  private async underNewMaster(unlocks: NewUnlocks): Promise<ChangedKeys> {
    const { opened, identity, bundle } = this.session.state;
    const master = newMasterKey(opened.master.accountId, opened.master.generation + 1);
    const next = await changeIdentity(master, { identity, bundle });
    const content = {
      ...succeeding(opened),
      master,
      formerMaster: opened.master,
      wraps: await wrapAnew(master, unlocks, undefined),
      seeds: next.seeds,
      identityVersion: next.identity.version,
    };
    return { content, identity: next.bundle };
  }
}

interface ChangedKeys {
  readonly content: AccountContent & { readonly master: MasterKey };
  /** The public bundle. */
  readonly identity: Bytes;
}

function succeeding({ hash, revision, ...content }: AccountContent & { readonly hash: Bytes }): AccountContent {
  return { ...content, revision: revision + 1, previousHash: hash };
}
