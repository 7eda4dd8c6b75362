import { beforeEach, describe, expect, it } from '@jest/globals';
import { sealAccount, unlockMaster, openAccount, type OpenedAccount } from '../../src/sdk/account-seal.js';
import { newMasterKey, passwordKey } from '../../src/sdk/account-keys.js';
import { fromBase64Url, randomBytes, toBase64Url, type Bytes } from '../../src/sdk/bytes.js';
import { Device } from '../../src/sdk/device.js';
import { DriveAccount } from '../../src/sdk/drive-account.js';
import { DriveContacts } from '../../src/sdk/drive-contacts.js';
import { wrapAnew } from '../../src/sdk/login-change.js';
import { MemoryStateStore } from '../../src/sdk/memory.state-store.js';
import { newRecoveryCode } from '../../src/sdk/recovery-code.js';
import { SeenMemory } from '../../src/sdk/seen-memory.js';
import { AccountDevice, AccountServer, ORIGIN, type KeptAccountJson } from '../support/account-server.js';
import { failureOf, flipped, newPerson, NO_HASH, type Person } from '../support/e2ee-world.js';

/** What a server between the clients of an account can do to what it keeps of it. */
const { signal } = new AbortController();

let server: AccountServer;
let ada: Person;
let bob: Person;

beforeEach(async () => {
  server = new AccountServer();
  [ada, bob] = [await server.join('ada'), await server.join('bob')];
});

const keptOf = ({ identity }: Person): KeptAccountJson => server.accounts.get(identity.accountId)!;
const bytesOf = (text: string): Bytes => fromBase64Url(text)!;

async function openedOf(person: Person): Promise<OpenedAccount> {
  const { sealed, identity } = keptOf(person);
  return openAccount(bytesOf(sealed), bytesOf(identity), person.master);
}

/** The same account with another password, or another code. */
async function rewrapped(person: Person, exportKey: Bytes): Promise<Bytes> {
  const { hash, ...opened } = await openedOf(person);
  const wraps = await wrapAnew(person.master, { passwordExport: exportKey, code: undefined }, opened.wraps);
  return sealAccount({ ...opened, wraps, revision: opened.revision + 1, previousHash: hash }, bytesOf(keptOf(person).identity));
}

describe('attack 1: the wrapped keys of two states, or of two accounts, mixed', () => {
  // Stands on the hash of the rest in what is sealed (src/sdk/account-seal.ts, `openAccount`).
  it('is found out by whoever holds the master key', async () => {
    const exportKey = randomBytes(64);
    const [old, fresh] = [bytesOf(keptOf(ada).sealed), await rewrapped(ada, exportKey)];
    const identity = bytesOf(keptOf(ada).identity);
    const wrapAt = 1 + 16 + 4 + 4 + 4;
    const wrapBytes = 105;
    const mixed = Uint8Array.from(fresh);
    mixed.set(old.subarray(wrapAt, wrapAt + wrapBytes), wrapAt);
    expect(await failureOf(openAccount(fresh, identity, ada.master))).toBeUndefined();
    expect(await failureOf(openAccount(mixed, identity, ada.master))).toBe('damaged');
    const byPassword = (sealed: Bytes) => unlockMaster(sealed, 'password', (id) => passwordKey(exportKey, id));
    expect((await byPassword(fresh)).key).toEqual(ada.master.key);
    expect(await failureOf(byPassword(mixed))).toBe('wrong-key');
    for (let at = 0; at < fresh.length; at += 13)
      expect(await failureOf(openAccount(flipped(fresh, at), identity, ada.master))).toBeDefined();
    expect(await failureOf(openAccount(fresh.slice(0, -1), identity, ada.master))).toBe('damaged');
  });

  it('does not open another account', async () => {
    server.accounts.set(ada.identity.accountId, keptOf(bob));
    expect(await failureOf(new AccountDevice(server, ada).open())).toBe('damaged');
  });
});

describe('attack 2: a contact’s keys exchanged by the server', () => {
  it('are refused after the first contact, by name and by id, and a chain that is cut', async () => {
    const session = await new AccountDevice(server, ada).open();
    const bobs = new DriveAccount(await new AccountDevice(server, bob).open(), undefined);
    await bobs.changeIdentity();
    await session.contacts.meet({ userName: 'bob' }, signal);
    const honest = keptOf(bob);
    const meet = (asked: { userName: string } | { accountId: string }) =>
      failureOf(session.contacts.meet({ ...asked, isFresh: true }, signal));

    const mallory = await newPerson('bob', bob.identity.accountId);
    server.accounts.set(bob.identity.accountId, { ...honest, identity: toBase64Url(mallory.bundleBytes), former: [] });
    for (const asked of [{ userName: 'bob' }, { accountId: bob.identity.accountId }])
      expect(await meet(asked)).toBe('identity-changed');
    server.accounts.set(bob.identity.accountId, { ...honest, identity: honest.former[0]!, former: [] });
    expect(await meet({ userName: 'bob' })).toBe('identity-changed'); // back to the older one
    server.accounts.set(bob.identity.accountId, { ...honest, former: [] });
    expect(await meet({ userName: 'bob' })).toBe('identity-changed'); // without what was before
    server.accounts.set(bob.identity.accountId, honest);
    expect(await meet({ userName: 'bob' })).toBeUndefined();
    const other = await newPerson('bob');
    server.accounts.set(other.identity.accountId, { sealed: '', identity: toBase64Url(other.bundleBytes), former: [] });
    server.names.set('bob', other.identity.accountId);
    expect(await meet({ userName: 'bob' })).toBe('identity-changed'); // another account under the name
    expect(await new DriveContacts(session).list()).toMatchObject([{ userName: 'bob', accountId: bob.identity.accountId }]);
  });
});

describe('attack 3: our own keys exchanged by the server', () => {
  // Stands on the hash of the public bundle in what is sealed, and on `assertOwnBundle`.
  it('is found out at the next login, and by a session that looks again', async () => {
    const session = await new AccountDevice(server, ada).open();
    const mallory = await newPerson('ada', ada.identity.accountId);
    server.accounts.set(ada.identity.accountId, { ...keptOf(ada), identity: toBase64Url(mallory.bundleBytes) });
    expect(await failureOf(new AccountDevice(server, ada).open())).toBe('identity-changed');
    expect(await failureOf(session.refresh(signal))).toBe('identity-changed');
  });

  it('is found out of keys that we had, too', async () => {
    const session = await new AccountDevice(server, ada).open();
    const { identity } = keptOf(ada);
    await new DriveAccount(session, undefined).changeIdentity();
    server.accounts.set(ada.identity.accountId, { ...keptOf(ada), identity, former: [] });
    expect(await failureOf(new AccountDevice(server, ada).open())).toBe('identity-changed');
  });
});

describe('attack 15: an older state shown again', () => {
  // Stands on what the device has seen (src/sdk/account-state.ts, `seen.meet`).
  it('of the account is refused by a device that has seen the newer one, also after a restart', async () => {
    const state = new MemoryStateStore();
    const session = await new AccountDevice(server, ada, state).open();
    const old = keptOf(ada);
    await new DriveAccount(session, undefined).changeIdentity();
    await session.close();
    server.accounts.set(ada.identity.accountId, old);
    expect(await failureOf(new AccountDevice(server, ada, state).open())).toBe('rolled-back');
    expect(await failureOf(session.refresh(signal))).toBe('rolled-back');
  });

  it('of another past is refused: two changes of one state are a fork', async () => {
    const state = new MemoryStateStore();
    const session = await new AccountDevice(server, ada, state).open();
    const fork = await rewrapped(ada, randomBytes(64));
    await new DriveAccount(session, undefined).changeIdentity();
    server.accounts.set(ada.identity.accountId, {
      ...keptOf(ada),
      sealed: toBase64Url(fork),
      identity: keptOf(ada).former[0]!,
      former: [],
    });
    expect(await failureOf(session.refresh(signal))).toBe('rolled-back');
  });

  // Stands on src/sdk/sealed-vault.ts, `remember`.
  it('of the contacts is refused, and so is their loss', async () => {
    const session = await new AccountDevice(server, ada).open();
    const key = `${ada.identity.accountId}/contacts`;
    await session.contacts.meet({ userName: 'bob' }, signal);
    const old = server.vaults.get(key)!;
    const contacts = new DriveContacts(session);
    await contacts.verify('bob');
    server.vaults.set(key, old);
    expect(await failureOf(contacts.list())).toBe('rolled-back');
    server.vaults.delete(key);
    expect(await failureOf(contacts.list())).toBe('rolled-back');
    server.vaults.set(key, { ...old, revision: old.revision + 1 });
    expect(await failureOf(contacts.list())).toBe('damaged'); // an older one under the number of the newer
  });

  it('of a vault under another name is none', async () => {
    const session = await new AccountDevice(server, ada).open();
    await session.vault.update('settings', () => Uint8Array.of(1), signal);
    server.vaults.set(`${ada.identity.accountId}/mounts`, server.vaults.get(`${ada.identity.accountId}/settings`)!);
    expect(await failureOf(session.vault.read('mounts', signal))).toBe('damaged');
  });

  // Stands on src/sdk/drive-root.ts: that there is one root for ever.
  it('of the drive is refused: no root where there was one, another one, and an older record', async () => {
    const session = await new AccountDevice(server, ada).open();
    await session.root(signal);
    const { accountId } = ada.identity;
    const root = server.roots.get(accountId)!;
    server.roots.delete(accountId);
    expect(await failureOf(session.root(signal))).toBe('rolled-back');
    expect(server.roots.has(accountId)).toBe(false); // nor is there one by now that others would find
    await (await new AccountDevice(server, ada).open()).root(signal); // who has seen nothing makes another one
    expect(server.roots.get(accountId)!.id).not.toBe(root.id);
    expect(await failureOf(session.root(signal))).toBe('rolled-back');
  });
});

describe('attack: what a device keeps, changed', () => {
  const master = newMasterKey('01890a5d-ac96-774b-bcce-b302099a8057');

  // Stands on the seal under a key of the master key (src/sdk/device.ts, `keepSeen`).
  it('is found out: the memory of what was seen cannot be edited', async () => {
    const store = new MemoryStateStore();
    const device = new Device(store, ORIGIN);
    const seen = new SeenMemory();
    seen.meet('vault', 'contacts', { revision: 7, hash: new Uint8Array(32).fill(1), previousHash: NO_HASH });
    await device.keepSeen(master, seen);
    expect((await device.seen(master)).get('vault', 'contacts')).toMatchObject({ revision: 7 });
    const name = `seen-${master.accountId}`;
    const bytes = (await store.get(name))!;
    for (const at of [0, 5, 20, 60, bytes.length - 1]) {
      await store.set(name, flipped(bytes, at));
      expect(await failureOf(device.seen(master))).toBe('state-damaged');
    }
    await store.set(name, bytes.subarray(0, 40));
    expect(await failureOf(device.seen(master))).toBe('state-damaged');
    await store.set(name, bytes);
    expect(await failureOf(device.seen({ ...master, key: randomBytes(32) }))).toBe('state-damaged');
  });

  it('loses nothing of two runs at once, and is bounded', async () => {
    const device = new Device(new MemoryStateStore(), ORIGIN);
    const stateOf = (revision: number) => ({ revision, hash: new Uint8Array(32).fill(revision), previousHash: NO_HASH });
    const [one, other] = [new SeenMemory(), new SeenMemory()];
    one.meet('vault', 'a', stateOf(9));
    one.meet('vault', 'b', stateOf(1));
    other.meet('vault', 'a', stateOf(3));
    other.meet('vault', 'c', stateOf(2));
    await device.keepSeen(master, one);
    await device.keepSeen(master, other);
    const all = await device.seen(master);
    expect(['a', 'b', 'c'].map((id) => all.get('vault', id)?.revision)).toEqual([9, 1, 2]);
    const few = new SeenMemory(3);
    for (const id of ['a', 'b', 'c', 'a', 'd']) few.meet('node', id, stateOf(1));
    expect(['a', 'b', 'c', 'd'].map((id) => few.get('node', id) !== undefined)).toEqual([true, false, true, true]);
  });

  it('is no account on another server, and one that cannot be read says so', async () => {
    const store = new MemoryStateStore();
    await new Device(store, ORIGIN).keepAccount({ userName: 'ada', session: 'dcs_1', master });
    expect(await new Device(store, ORIGIN).account()).toMatchObject({ userName: 'ada', session: 'dcs_1', master });
    expect(await new Device(store, 'https://elsewhere.example').account()).toBeUndefined();
    await store.set('account', (await store.get('account'))!.subarray(0, 30));
    expect(await failureOf(new Device(store, ORIGIN).account())).toBe('state-damaged');
  });
});

it('a wrapped key of a lower generation does not open by a master key that is newer, nor the other way round', async () => {
  const unlocks = { passwordExport: randomBytes(64), code: newRecoveryCode() };
  const next = newMasterKey(ada.master.accountId, 2);
  const content = {
    master: next,
    wraps: await wrapAnew(next, unlocks, undefined),
    seeds: ada.seeds,
    identityVersion: 1,
    revision: 2,
  };
  const sealed = await sealAccount(
    { ...content, formerMaster: ada.master, previousHash: (await openedOf(ada)).hash },
    ada.bundleBytes,
  );
  expect(await failureOf(openAccount(sealed, ada.bundleBytes, ada.master))).toBe('session-over');
  expect(await failureOf(openAccount(bytesOf(keptOf(ada).sealed), ada.bundleBytes, next))).toBe('rolled-back');
  expect((await openAccount(sealed, ada.bundleBytes, next)).formerMaster).toEqual(ada.master);
});
