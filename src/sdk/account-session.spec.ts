import { beforeEach, describe, expect, it } from '@jest/globals';
import { AccountDevice, AccountServer } from '../../test/support/account-server.js';
import { failureOf, type Person } from '../../test/support/e2ee-world.js';
import { newMasterKey } from './account-keys.js';
import { openAccount, sealAccount } from './account-seal.js';
import { fromBase64Url, randomBytes, utf8 } from './bytes.js';
import { DriveAccount } from './drive-account.js';
import { DriveContacts } from './drive-contacts.js';
import { changeIdentity } from './key-change.js';
import { wrapAnew } from './login-change.js';
import { newRecoveryCode } from './recovery-code.js';

const { signal } = new AbortController();

let server: AccountServer;
let ada: Person;

beforeEach(async () => {
  server = new AccountServer();
  ada = await server.join('ada');
  await server.join('bob');
});

/** Ends a client behind so many requests that the server has done. */
async function openAndDie(device: AccountDevice, requests: number): Promise<boolean> {
  const death = new AbortController();
  let left = requests;
  server.behind = () => {
    if ((left -= 1) < 0) death.abort(new Error('the client died'));
    death.signal.throwIfAborted();
  };
  try {
    await device.open(death.signal);
    return false;
  } catch (error) {
    if (error !== death.signal.reason) throw error;
    return true;
  } finally {
    server.behind = () => undefined;
  }
}

/** What a change of the master key has done when it is broken off at once: the login has the new keys, and everything else the old ones. */
async function breakMasterChange(): Promise<Person> {
  const kept = server.accounts.get(ada.identity.accountId)!;
  const opened = await openAccount(fromBase64Url(kept.sealed)!, fromBase64Url(kept.identity)!, ada.master);
  const master = newMasterKey(ada.master.accountId, 2);
  const next = await changeIdentity(master, ada);
  const wraps = await wrapAnew(master, { passwordExport: randomBytes(64), code: newRecoveryCode() }, undefined);
  const of = { formerMaster: ada.master, seeds: next.seeds, identityVersion: 2 };
  const content = { master, wraps, ...of, revision: opened.revision + 1, previousHash: opened.hash };
  server.keep(ada, await sealAccount(content, next.bundle), next.bundle);
  return { ...ada, master };
}

describe('a change of the master key that is broken off', () => {
  it('is finished by the next run, wherever that is broken off too; nothing is left under the old key', async () => {
    const device = new AccountDevice(server, ada);
    const before = await device.open();
    await before.contacts.meet({ userName: 'bob' }, signal);
    await before.vault.update('settings', () => utf8('as I like it'), signal);
    const { record: old } = await before.root(signal);
    await before.close();

    device.person = await breakMasterChange();
    let deaths = 0;
    while (await openAndDie(device, deaths)) deaths += 1;
    expect(deaths).toBeGreaterThan(5);

    const after = await new AccountDevice(server, device.person).open();
    expect(after.state.opened.formerMaster).toBeUndefined();
    expect((await after.contacts.pins(signal)).all()).toMatchObject([{ userName: 'bob' }]);
    expect(await after.vault.read('settings', signal)).toEqual(utf8('as I like it'));
    const { record } = await after.root(signal);
    expect(record).toMatchObject({ nodeId: old.nodeId, generation: 2, revision: 2, writer: { bundleVersion: 2 } });
    expect(record.keys.at(1)).toEqual(old.keys.current);
    // The old key, in whoever's hands, opens nothing of it.
    expect(await failureOf(new AccountDevice(server, ada).open())).toBe('session-over');
  });
});

describe('keys that another device changed', () => {
  it('are read anew, and a change by what is outdated is refused', async () => {
    const [one, other] = [await new AccountDevice(server, ada).open(), await new AccountDevice(server, ada).open()];
    await new DriveAccount(one, undefined).changeIdentity();
    expect(one.writer.bundleVersion).toBe(2);
    expect([...one.keys.owner.verifyKeys.keys()]).toEqual([1, 2]);
    expect(other.writer.bundleVersion).toBe(1);
    const { kept } = other.state;
    expect(await failureOf(other.replace(kept, signal))).toBe('conflict');
    await other.refresh(signal);
    expect(other.keys.identity.signer.verifyKey).toEqual(one.keys.identity.signer.verifyKey);
  });

  it('are changed once, though the answer was lost', async () => {
    const session = await new AccountDevice(server, ada).open();
    server.behind = (request) => {
      if (request === 'PUT /auth/bundle') throw new TypeError('lost');
    };
    await new DriveAccount(session, undefined).changeIdentity();
    expect(session.writer.bundleVersion).toBe(2);
    expect(server.accounts.get(ada.identity.accountId)!.former).toHaveLength(1);
  });
});

describe('the root', () => {
  it('is made once, though two devices make it at the same time and an answer is lost', async () => {
    const [one, other] = [await new AccountDevice(server, ada).open(), await new AccountDevice(server, ada).open()];
    let isLost = false;
    server.behind = (request) => {
      if (request !== 'POST /drive/nodes' || isLost) return;
      isLost = true;
      throw new TypeError('lost');
    };
    const [mine, yours] = await Promise.all([one.root(signal), other.root(signal)]);
    expect(isLost).toBe(true);
    expect(mine.record.nodeId).toBe(yours.record.nodeId);
    expect(mine.record.attributes).toMatchObject({ name: 'Drive', kind: 'folder' });
  });
});

describe('the vault', () => {
  it('takes the changes of two devices, one after the other', async () => {
    const [one, other] = [await new AccountDevice(server, ada).open(), await new AccountDevice(server, ada).open()];
    const add = (letter: string) => (before: Uint8Array | undefined) => Uint8Array.from([...(before ?? []), ...utf8(letter)]);
    await Promise.all(['a', 'b', 'c'].map((letter) => one.vault.update('mounts', add(letter), signal)));
    await Promise.all(['d', 'e'].map((letter) => other.vault.update('mounts', add(letter), signal)));
    expect(
      [...(await one.vault.read('mounts', signal))!]
        .map((byte) => String.fromCharCode(byte))
        .sort()
        .join(''),
    ).toBe('abcde');
    const requests = server.requests.length;
    await one.vault.update('mounts', () => undefined, signal);
    expect(server.requests.slice(requests)).toEqual(['GET /drive/vault/mounts']);
  });

  it('knows a change of its own whose answer was lost', async () => {
    const session = await new AccountDevice(server, ada).open();
    const lose = (): void => {
      server.behind = (request) => {
        if (!request.startsWith('PUT')) return;
        server.behind = () => undefined;
        throw new TypeError('lost');
      };
    };
    lose();
    await session.vault.update('settings', () => utf8('1'), signal);
    lose();
    await session.vault.update('settings', (before) => Uint8Array.from([...before!, ...utf8('2')]), signal);
    expect(await session.vault.read('settings', signal)).toEqual(utf8('12'));
  });
});

describe('contacts', () => {
  it('are asked for once a minute, but anew before something is sealed to them', async () => {
    const session = await new AccountDevice(server, ada).open();
    const asks = async (isFresh: boolean): Promise<number> => {
      const before = server.requests.length;
      await session.contacts.meet({ userName: 'bob', isFresh }, signal);
      return server.requests.length - before;
    };
    expect(await asks(false)).toBeGreaterThan(0);
    expect(await asks(false)).toBe(0);
    expect(await asks(true)).toBeGreaterThan(0);
    expect((await session.contacts.meet({ userName: 'ada' }, signal)).bundle).toEqual(session.keys.bundle);
  });

  it('are verified as the number that was shown, and not as what came since', async () => {
    const bob = await new AccountDevice(server, await bobOf(server)).open();
    const contacts = new DriveContacts(await new AccountDevice(server, ada).open());
    await contacts.safetyNumber('bob');
    await new DriveAccount(bob, undefined).changeIdentity();
    const another = new DriveContacts(await new AccountDevice(server, ada).open());
    await another.safetyNumber('bob');
    expect(await failureOf(contacts.verify('bob'))).toBe('identity-changed');
    await another.verify('bob');
    expect(await another.list()).toMatchObject([{ userName: 'bob', isVerified: true }]);
  });
});

async function bobOf(of: AccountServer): Promise<Person> {
  return of.join('bob');
}
