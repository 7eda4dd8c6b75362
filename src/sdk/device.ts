import { openForSelf, sealForSelf, type MasterKey } from './account-keys.js';
import { fromUtf8, isEqual, sha256, utf8, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';
import { FieldReader, FieldWriter } from './fields.js';
import { KEY_BYTES } from './hkdf.js';
import { SeenMemory } from './seen-memory.js';
import { ifDamaged, type StateStore } from './state-store.js';

const FORMAT = 0x01;
const ACCOUNT = 'account';
/** The sealed memory has no revisions: it only grows, and is merged. */
const SEEN_REVISION = 0;

/** An account as a device keeps it: with this alone everything of it opens. */
export interface KeptAccount {
  readonly userName: string;
  /** The text to send. */
  readonly session: string;
  readonly master: MasterKey;
}

/** What this device knows of one server and the account on it, between two runs. */
export class Device {
  /** What was kept when it was last written or read: a memory has all of it. */
  private readonly merged = new WeakMap<SeenMemory, Uint8Array>();

  constructor(
    private readonly store: StateStore,
    private readonly origin: string,
  ) {}

  /** Undefined also if it is one on another server. @throws SdkError `state-damaged` */
  async account(): Promise<KeptAccount | undefined> {
    const bytes = await this.store.get(ACCOUNT);
    const kept = bytes && understand(() => decodeAccount(bytes));
    return kept?.origin === this.origin ? kept : undefined;
  }

  async keepAccount({ userName, session, master }: KeptAccount): Promise<void> {
    const writer = new FieldWriter().u8(FORMAT).text(this.origin).text(userName).text(session);
    await this.store.set(ACCOUNT, writer.id(master.accountId).u32(master.generation).fixed(master.key).finish());
  }

  /** The newest states that were seen stay, sealed: who logs in again is not to be shown older ones. */
  async forgetAccount(): Promise<void> {
    await this.store.delete(ACCOUNT);
  }

  /** The key of the server by which this user logged in before. */
  async serverKey(userName: string): Promise<string | undefined> {
    const bytes = await this.store.get(await this.serverName(userName));
    return bytes && understand(() => fromUtf8(bytes));
  }

  /** The same for who proves by a secret who he is: what cannot be read is none. Who could break it could have removed it, too. */
  async readableServerKey(userName: string): Promise<string | undefined> {
    return this.serverKey(userName).catch(ifDamaged);
  }

  async pinServer(userName: string, serverKey: string): Promise<void> {
    await this.store.set(await this.serverName(userName), utf8(serverKey));
  }

  /**
   * What this device has seen of an account. Under an earlier master key it is none: whoever has that one could have written it.
   * @throws SdkError `state-damaged` if it was changed
   */
  async seen(master: MasterKey, seen = new SeenMemory()): Promise<SeenMemory> {
    const kept = await this.store.get(seenName(master));
    const bytes = kept && (await openSeen(master, kept));
    if (kept !== undefined) this.merged.set(seen, kept);
    if (bytes !== undefined) understand(() => seen.merge(bytes));
    return seen;
  }

  /** A login begins anew with it if it cannot be read, as {@link readableServerKey} does: else nobody could log in here ever again. */
  async forgetUnreadable(master: MasterKey): Promise<void> {
    const seen = await this.seen(master).catch(ifDamaged);
    if (seen === undefined) await this.store.delete(seenName(master));
  }

  /** Together with what another run wrote meanwhile. */
  async keepSeen(master: MasterKey, seen: SeenMemory): Promise<void> {
    const before = await this.store.get(seenName(master));
    const isNews = before !== undefined && !isEqual(before, this.merged.get(seen) ?? new Uint8Array(0));
    const bytes = isNews ? await openSeen(master, before) : undefined;
    if (bytes !== undefined) understand(() => seen.merge(bytes));
    const { changes } = seen;
    const sealed = await sealForSelf(master, 'seen', { bytes: seen.encode(), revision: SEEN_REVISION });
    const kept = new FieldWriter().u8(FORMAT).u32(master.generation).fixed(sealed).finish();
    await this.store.set(seenName(master), kept);
    this.merged.set(seen, kept);
    seen.kept(changes);
  }

  /** A name for one user on one server, which does not say which. */
  private async serverName(userName: string): Promise<string> {
    const hash = await sha256(new FieldWriter().text(this.origin).text(userName).finish());
    return `server-${Array.from(hash.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
  }
}

async function openSeen(master: MasterKey, kept: Uint8Array): Promise<Bytes | undefined> {
  try {
    const reader = new FieldReader(kept).format(FORMAT);
    if (reader.u32() < master.generation) return undefined;
    return await openForSelf(master, 'seen', { bytes: reader.rest(), revision: SEEN_REVISION });
  } catch {
    throw new SdkError('state-damaged');
  }
}

function seenName({ accountId }: MasterKey): string {
  return `seen-${accountId}`;
}

function decodeAccount(bytes: Uint8Array): KeptAccount & { readonly origin: string } {
  const reader = new FieldReader(bytes).format(FORMAT);
  const names = { origin: reader.text(), userName: reader.text(), session: reader.text() };
  const master = { accountId: reader.id(), generation: reader.u32(), key: reader.fixed(KEY_BYTES) };
  reader.end();
  return { ...names, master };
}

/** Whatever cannot be read here is this device's matter, and not the server's. */
function understand<Result>(read: () => Result): Result {
  try {
    return read();
  } catch {
    throw new SdkError('state-damaged');
  }
}
