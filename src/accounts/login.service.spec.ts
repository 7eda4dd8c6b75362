import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { LoginWorld } from '../../test/support/login-world.js';
import type { UserName } from '../common/user-name.js';
import type { LoginRecord } from './login-record.js';

const { signal } = new AbortController();
const ADA = 'ada' as UserName;
const NEW_BUNDLE = { sealed: Uint8Array.of(7), identity: Uint8Array.of(8) };

let world: LoginWorld;

async function change(change: Partial<LoginRecord>): Promise<void> {
  const before = (await world.logins.find(ADA, signal))!;
  await world.logins.replace(before, { ...before.login, ...change }, signal);
}

beforeEach(async () => {
  world = await LoginWorld.make();
  await world.register(ADA);
});
afterEach(async () => {
  await world.remove();
});

it('a login gives the bundle of now, not that of its begin', async () => {
  const { stored } = await world.logIn(ADA, () => change({ bundle: NEW_BUNDLE }));
  expect(Buffer.from(stored.login.bundle.sealed)).toEqual(Buffer.from(NEW_BUNDLE.sealed));
  expect(stored.revision).toBe((await world.logins.find(ADA, signal))!.revision);
});

it('a login ends with the password that it was begun by, and with its account', async () => {
  await expect(world.logIn(ADA, () => change({ epoch: 1 }))).rejects.toMatchObject({ code: 'login-changed' });
  const remove = async (): Promise<void> => {
    const { login } = (await world.logins.find(ADA, signal))!;
    await world.accounts.remove(login.account, signal);
    await world.register(ADA);
  };
  await expect(world.logIn(ADA, remove)).rejects.toMatchObject({ code: 'login-changed' });
  expect((await world.logIn(ADA)).session.userName).toBe(ADA);
});
