import { sealAccount } from './account-seal.js';
import { readAccountState, type AccountState } from './account-state.js';
import { isEqual } from './bytes.js';
import { ContactBook } from './contact-book.js';
import type { Device } from './device.js';
import { openRoot, rekeyOldRoot, type RootAccess } from './drive-root.js';
import type { AccountKeys, DriveSession, RootNode } from './drive-session.js';
import { SdkError } from './errors.js';
import type { FloeBackEnd } from './floe-back-end.js';
import { IdPool } from './id-pool.js';
import { fetchBundle, replaceBundle, type AccountBundle, type KeptBundle } from './login-calls.js';
import type { PasswordHash } from './password-cost.js';
import { SealedVault } from './sealed-vault.js';
import type { SeenMemory } from './seen-memory.js';
import type { Transport } from './transport.js';
import type { VaultName } from './vault.js';
import type { WriterRef } from './writers.js';

const VAULT_NAMES: readonly VaultName[] = ['contacts', 'settings', 'mounts', 'devices'];
/** So many new states are written down at once: who is killed loses no more. */
const SEEN_CHANGES_MAX = 2_000;

/** What the application gave to the SDK. */
export interface Equipment {
  readonly device: Device;
  readonly floe: FloeBackEnd;
  readonly passwordHash: PasswordHash | undefined;
}

/** An account that is logged in, on this device. */
export class AccountSession implements DriveSession {
  readonly account: { readonly id: string; readonly userName: string };
  readonly floe: FloeBackEnd;
  readonly passwordHash: PasswordHash | undefined;
  readonly ids: IdPool;
  readonly vault: SealedVault;
  readonly contacts: ContactBook;
  private keeping: Promise<void> | undefined;

  /** @param sessionText what the transport sends, to be kept on this device */
  constructor(
    readonly transport: Transport,
    readonly seen: SeenMemory,
    private readonly equipment: Equipment,
    private current: AccountState & { readonly sessionText: string },
  ) {
    this.account = { id: current.master.accountId, userName: current.bundle.userName };
    ({ floe: this.floe, passwordHash: this.passwordHash } = equipment);
    this.ids = new IdPool((count) => fetchIds(transport, count));
    this.vault = new SealedVault(transport, () => this.current.opened, seen);
    this.contacts = new ContactBook(transport, this.vault, () => this.current);
  }

  get keys(): AccountKeys {
    return this.current;
  }

  /** The keys with how the server keeps them, for who changes them. */
  get state(): AccountState {
    return this.current;
  }

  get writer(): WriterRef {
    return { accountId: this.account.id, bundleVersion: this.current.identity.version };
  }

  async root(signal: AbortSignal): Promise<RootNode> {
    return openRoot(this.rootAccess(), signal);
  }

  async refresh(signal: AbortSignal): Promise<void> {
    const kept = await fetchBundle(this.transport, signal);
    if (kept.etag !== this.current.kept.etag) await this.adopt(kept, signal);
  }

  /** Goes on with what the server keeps now. @param master absent: as before */
  async adopt(kept: KeptBundle, signal: AbortSignal, master = this.current.master): Promise<void> {
    const { transport, seen, current } = this;
    const { sessionText } = current;
    const state = await readAccountState({ transport, userName: this.account.userName, master, seen }, kept, signal);
    this.current = { ...state, sessionText };
    if (master !== current.master) await this.keep();
  }

  /** Replaces the keys that the server keeps. @throws SdkError `conflict` if another device did so first */
  async replace(bundle: AccountBundle, signal: AbortSignal): Promise<void> {
    const { etag } = this.current.kept;
    const made = await replaceBundle(this.transport, { bundle, etag }, signal).catch(async (error: unknown) => {
      const now = await this.ifMade(error, bundle, signal);
      return now.etag;
    });
    await this.adopt({ ...bundle, etag: made }, signal);
  }

  /** Whether a change whose answer was lost was made. @throws the error if it was another one, or if it was not made */
  async ifMade(error: unknown, bundle: AccountBundle, signal: AbortSignal): Promise<KeptBundle> {
    if (!(error instanceof SdkError) || error.kind !== 'in-doubt') throw error;
    const now = await fetchBundle(this.transport, signal);
    if (!isEqual(now.sealed, bundle.sealed)) throw new SdkError('conflict', { cause: error });
    return now;
  }

  /** What a change of the master key left under the one before, if it was broken off. */
  async finishMasterChange(signal: AbortSignal): Promise<void> {
    const { formerMaster, ...content } = this.current.opened;
    if (formerMaster === undefined) return;
    for (const name of VAULT_NAMES) await this.vault.reseal(name, signal);
    await rekeyOldRoot(this.rootAccess(), signal);
    const { identity } = this.current.kept;
    const next = { ...content, revision: content.revision + 1, previousHash: content.hash };
    await this.replace({ sealed: await sealAccount(next, identity), identity }, signal);
  }

  /** Writes down for the next run of this device that this account is logged in. */
  async keep(): Promise<void> {
    const { master, sessionText: session } = this.current;
    await this.equipment.device.keepAccount({ userName: this.account.userName, session, master });
  }

  /** Writes down what was seen; after it nothing is written any more. */
  async close(): Promise<void> {
    await this.keeping;
    if (this.seen.changes > 0) await this.equipment.device.keepSeen(this.current.master, this.seen);
  }

  /** Of what is kept, the newest states stay: who logs in again is not to be shown older ones. */
  async forget(): Promise<void> {
    await this.close();
    await this.equipment.device.forgetAccount();
  }

  /** For who is killed before the end: of many new states not all are lost. */
  keepSome(unsaved: number): void {
    if (unsaved < SEEN_CHANGES_MAX || this.keeping !== undefined) return;
    const keeping = this.equipment.device.keepSeen(this.current.master, this.seen);
    // What fails here fails again in the end, where somebody hears of it.
    this.keeping = keeping.catch(() => undefined).finally(() => (this.keeping = undefined));
  }

  private rootAccess(): RootAccess {
    const { transport, ids, seen, current } = this;
    return { transport, ids, seen, keys: current, formerMaster: current.opened.formerMaster };
  }
}

async function fetchIds(transport: Transport, count: number): Promise<readonly string[]> {
  // What is not used is forgotten: it may be sent again. Whoever waits for ids may give up, and the others get them.
  const call = { method: 'POST', path: '/drive/ids', json: { count }, isRepeatable: true } as const;
  return (await transport.json(call, new AbortController().signal)).body.ids('ids');
}
