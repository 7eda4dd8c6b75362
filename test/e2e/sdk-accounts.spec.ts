import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connect } from '../../src/sdk/connect.js';
import type { Drive } from '../../src/sdk/drive-api.js';
import { SdkError } from '../../src/sdk/errors.js';
import { MemoryStateStore } from '../../src/sdk/memory.state-store.js';
import { NodeFileStateStore } from '../../src/sdk/node-file.state-store.js';
import type { StateStore } from '../../src/sdk/state-store.js';
import { addAccount, initAdmin } from '../support/accounts.js';
import { Client } from '../support/client.js';
import { failureOf } from '../support/e2ee-world.js';
import { answerOf } from '../support/logins.js';
import { TestServer } from '../support/server.js';

const GENEROUS = { failed_attempts_max: 1000, login_attempts_max: 1000 };
const PASSWORD = 'a password nobody else has: quokka-72';

let server: TestServer;
let admin: Client;

async function invite(name: string): Promise<string> {
  const account = await addAccount(admin, { name });
  return (await answerOf(admin.json('POST', '/auth/invitations', { account })))['invitation']!;
}

async function newcomer(
  userName: string,
  state: StateStore = new MemoryStateStore(),
): Promise<{ readonly drive: Drive; readonly recoveryCode: string; readonly state: StateStore }> {
  const gate = await connect(server.url, { state });
  return { ...(await gate.register({ userName, password: PASSWORD, invitation: await invite(userName.toLowerCase()) })), state };
}

async function login(userName: string, password = PASSWORD, state: StateStore = new MemoryStateStore()): Promise<Drive> {
  return (await connect(server.url, { state })).login({ userName, password });
}

beforeAll(async () => {
  server = await TestServer.start({ config: { log_level: 'trace', limits: GENEROUS } });
  admin = new Client(server.url, undefined, await initAdmin(server.url, server.storage));
});

afterAll(async () => {
  await server.remove();
});

describe('an account', () => {
  it('is registered, logged in to from another device, and resumed without a password', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sdk-state-'));
    const { drive, recoveryCode } = await newcomer('Ada', new NodeFileStateStore(join(folder, 'state')));
    expect(drive.account.userName).toBe('ada');
    expect(recoveryCode).toMatch(/^(?:[\dA-Z]{4}-){8}.$/u);
    await drive.close();

    const resumed = await (await connect(server.url, { state: new NodeFileStateStore(join(folder, 'state')) })).resume();
    expect(resumed?.account).toEqual(drive.account);
    expect(await resumed?.sessions()).toHaveLength(1);

    const other = await login('ADA');
    expect(other.account).toEqual(drive.account);
    expect(await other.sessions()).toHaveLength(2);
    await resumed?.logout();
    expect(await other.sessions()).toHaveLength(1);
    expect(await (await connect(server.url, { state: new NodeFileStateStore(join(folder, 'state')) })).resume()).toBeUndefined();
    expect((await stat(join(folder, 'state'))).mode & 0o777).toBe(0o700);
    for (const name of await readdir(join(folder, 'state')))
      expect((await stat(join(folder, 'state', name))).mode & 0o777).toBe(0o600);
    await rm(folder, { recursive: true });
  });

  it('has no second one of its name, and needs an invitation', async () => {
    await newcomer('bea');
    const gate = await connect(server.url);
    expect(await failureOf(gate.register({ userName: 'bea', password: 'x' }))).toBe('registration-refused');
    expect(await failureOf(gate.register({ userName: 'nobody', password: 'x', invitation: 'dci_nonsense' }))).toBe(
      'registration-refused',
    );
    expect(await failureOf(gate.register({ userName: 'b e a', password: 'x' }))).toBe('invalid-user-name');
  });

  it('is told nothing of by a wrong password, nor of who is not there', async () => {
    await newcomer('cid');
    expect(await failureOf(login('cid', 'wrong'))).toBe('wrong-key');
    expect(await failureOf(login('nobody-at-all', 'wrong'))).toBe('wrong-key');
  });

  it('gets a new password, which ends the sessions of other devices; with the old one nobody gets in', async () => {
    const { drive } = await newcomer('dan');
    const other = new MemoryStateStore();
    const elsewhere = await login('dan', PASSWORD, other);
    expect(await failureOf(drive.changePassword({ password: 'wrong', newPassword: 'new' }))).toBe('wrong-key');
    await drive.changePassword({ password: PASSWORD, newPassword: 'new' });
    expect(await drive.sessions()).toHaveLength(1);
    expect(await failureOf(elsewhere.sessions())).toBe('session-over');
    expect(await failureOf((await connect(server.url, { state: other })).resume())).toBe('session-over');
    expect(await (await connect(server.url, { state: other })).resume()).toBeUndefined();
    expect(await failureOf(login('dan'))).toBe('wrong-key');
    expect((await login('dan', 'new', other)).account).toEqual(drive.account);
  });

  it('is recovered by the code, once; the code that is given then is the next one', async () => {
    const { drive, recoveryCode } = await newcomer('eve');
    const gate = await connect(server.url);
    const spoken = recoveryCode.toLowerCase().replaceAll('-', ' ');
    const recovered = await gate.recover({ userName: 'eve', recoveryCode: spoken, newPassword: 'new' });
    expect(recovered.drive.account).toEqual(drive.account);
    expect(await failureOf(drive.sessions())).toBe('session-over');
    expect(await failureOf(gate.recover({ userName: 'eve', recoveryCode, newPassword: 'x' }))).toBe('wrong-key');
    expect(
      await failureOf(gate.recover({ userName: 'eve', recoveryCode: `${recoveryCode.slice(0, -1)}?`, newPassword: 'x' })),
    ).toBe('invalid-recovery-code');
    const changed = await recovered.drive.changeRecoveryCode({ password: 'new' });
    expect(await failureOf(gate.recover({ userName: 'eve', recoveryCode: recovered.recoveryCode, newPassword: 'x' }))).toBe(
      'wrong-key',
    );
    expect((await gate.recover({ userName: 'eve', recoveryCode: changed, newPassword: 'newer' })).drive.account).toEqual(
      drive.account,
    );
    expect((await login('eve', 'newer')).account).toEqual(drive.account);
  });

  it('is whole, or not there, wherever the client died or the answer was lost that registered for it', async () => {
    const invitation = await invite('ian');
    const answers: string[] = [];
    const dying = (at: string | undefined, isDeath: boolean): typeof fetch => {
      return async (input, init) => {
        const answer = await fetch(input, init);
        answers.push(new URL(input as string).pathname);
        if (answers.at(-1) !== at) return answer;
        if (isDeath) throw new SdkError('server-failed'); // nothing goes on from here
        throw new TypeError('lost');
      };
    };
    const register = async (through: typeof fetch): Promise<Drive> =>
      (await (await connect(server.url, { fetch: through })).register({ userName: 'ian', password: PASSWORD, invitation })).drive;
    expect(await failureOf(register(dying('/auth/register/start', true)))).toBe('server-failed');
    expect(await failureOf(login('ian'))).toBe('wrong-key');
    expect(await failureOf(register(dying('/auth/register/finish', true)))).toBe('server-failed');
    const drive = await login('ian');
    expect(await drive.sessions()).toHaveLength(1);
    expect(await failureOf(register(fetch))).toBe('registration-refused');

    const other = await invite('jan');
    const gate = await connect(server.url, { fetch: dying('/auth/register/finish', false) });
    const { drive: jan } = await gate.register({ userName: 'jan', password: PASSWORD, invitation: other });
    expect(await jan.sessions()).toHaveLength(1);
    expect(answers).toContain('/drive/nodes');
  });

  it('changes its keys for others, and all keys; contacts follow and have to compare anew', async () => {
    const [{ drive: fay }, { drive: gus }] = [await newcomer('fay'), await newcomer('gus')];
    expect(await fay.contacts.list()).toEqual([]);
    const number = await fay.contacts.safetyNumber('Gus');
    expect(number).toMatch(/^(?:\d{5} ){11}\d{5}$/u);
    expect(await gus.contacts.safetyNumber('fay')).toBe(number);
    await fay.contacts.verify('gus');
    const known = { userName: 'gus', accountId: gus.account.id };
    expect(await fay.contacts.list()).toEqual([{ ...known, isVerified: true }]);
    expect(await (await login('fay')).contacts.list()).toEqual([{ ...known, isVerified: true }]);
    expect(await failureOf(fay.contacts.safetyNumber('nobody-at-all'))).toBe('user-not-found');

    await gus.changeIdentity();
    const next = await fay.contacts.safetyNumber('gus');
    expect(next).not.toBe(number);
    expect(await fay.contacts.list()).toEqual([{ ...known, isVerified: false }]);
    expect(await gus.contacts.safetyNumber('fay')).toBe(next);

    await gus.contacts.verify('fay');
    const { recoveryCode } = await gus.changeMasterKey({ password: PASSWORD });
    expect(await fay.contacts.safetyNumber('gus')).not.toBe(next);
    const again = await login('gus');
    expect(await again.contacts.list()).toEqual([{ userName: 'fay', accountId: fay.account.id, isVerified: true }]);
    const recovered = await (await connect(server.url)).recover({ userName: 'gus', recoveryCode, newPassword: 'new' });
    expect(await recovered.drive.contacts.list()).toHaveLength(1);
    await recovered.drive.changeMasterKey({ password: 'new', newPassword: 'newer' });
    expect(await (await login('gus', 'newer')).contacts.list()).toHaveLength(1);
  });

  it('leaves nothing on the server that tells the password, the code, or a contact', async () => {
    const { drive, recoveryCode } = await newcomer('hal');
    await drive.contacts.safetyNumber('fay');
    const entries = await readdir(server.directory, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    const everything = [server.logs(), ...(await Promise.all(files.map((file) => readFile(file, 'latin1'))))].join('\n');
    expect(everything).toContain('/auth/login/finish'); // what is looked at is not empty
    for (const secret of [PASSWORD, recoveryCode, recoveryCode.replaceAll('-', '')]) expect(everything).not.toContain(secret);
  });
});
