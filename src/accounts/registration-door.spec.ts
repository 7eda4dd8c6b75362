import { beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryDocumentStore } from '../../test/support/memory.document-store.js';
import { AccountDirectory } from '../auth/account-directory.js';
import { newId, type FileId } from '../common/ids.js';
import type { UserName } from '../common/user-name.js';
import type { AppConfig } from '../config/app-config.js';
import { LIMITS } from '../config/limits.js';
import { AccountLimits } from '../http/account-limits.js';
import { InvitationsService } from './invitations.service.js';
import { Logins } from './logins.js';
import { type Admission, RegistrationDoor } from './registration-door.js';

const { signal } = new AbortController();
const ADA = 'ada' as UserName;
const REFUSED = { code: 'registration-refused' };

let accounts: AccountDirectory;
let invitations: InvitationsService;

function doorOf(registration: AppConfig['registration'], limits: Partial<AppConfig['limits']> = {}): RegistrationDoor {
  const config = { registration, limits: { ...LIMITS, ...limits } } as unknown as AppConfig;
  const documents = new MemoryDocumentStore();
  accounts = new AccountDirectory(config, documents, new AccountLimits());
  invitations = new InvitationsService(config, documents, accounts, new Logins(documents, accounts));
  return new RegistrationDoor(config, accounts, invitations);
}

async function invited(): Promise<string> {
  const { id } = await accounts.create({ name: 'ada', role: 'user', quota: { bytes: null, files: null } }, signal);
  return (await invitations.make(id, signal)).text;
}

/** Both halves, as a registration goes through them. */
async function enter(door: RegistrationDoor, invitation: string | undefined): Promise<Admission> {
  return door.admit({ name: ADA, accountId: await door.check(ADA, invitation, signal), invitation }, signal);
}

describe('who may register', () => {
  describe.each(['invited', 'open', 'closed'] as const)('with registration %s', (registration) => {
    let door: RegistrationDoor;
    beforeEach(async () => {
      door = doorOf(registration);
      await expect(door.check(ADA, undefined, signal)).rejects.toMatchObject(REFUSED); // nobody before an administrator
      await accounts.createFirst('root', signal);
    });

    it(registration === 'open' ? 'is everybody' : 'is not everybody', async () => {
      if (registration !== 'open') await expect(enter(door, undefined)).rejects.toMatchObject(REFUSED);
      else {
        const { accountId, undo } = await enter(door, undefined);
        expect(accounts.require(accountId)).toMatchObject({ name: 'ada', role: 'user' });
        await undo(signal);
        expect(accounts.get(accountId)).toBeUndefined();
      }
    });

    it(registration === 'closed' ? 'is nobody with an invitation' : 'is who has an invitation, once', async () => {
      const text = await invited();
      if (registration === 'closed') await expect(enter(door, text)).rejects.toMatchObject(REFUSED);
      else {
        const { accountId, done } = await enter(door, text);
        await expect(door.admit({ name: ADA, accountId: newId<FileId>(), invitation: text }, signal)).rejects.toMatchObject(
          REFUSED,
        );
        expect(accounts.require(accountId).name).toBe('ada');
        await done(signal);
        await expect(enter(door, text)).rejects.toMatchObject(REFUSED);
      }
    });

    it('is nobody under the name of an account that waits for somebody else', async () => {
      await invited();
      const code = registration === 'open' ? 'user-name-taken' : 'registration-refused';
      await expect(enter(door, undefined)).rejects.toMatchObject({ code });
    });
  });

  it('is nobody whose invitation is too old, for another, or pushed out by newer ones', async () => {
    const door = doorOf('invited', { invitation_ms_max: -1 });
    await accounts.createFirst('root', signal);
    await expect(door.check(ADA, await invited(), signal)).rejects.toMatchObject(REFUSED);

    const other = doorOf('invited');
    await accounts.createFirst('root', signal);
    const first = await invited();
    await expect(other.check('eve' as UserName, first, signal)).rejects.toMatchObject(REFUSED);
    await other.check(ADA, first, signal);
    const { id } = accounts.list().find(({ name }) => name === 'ada')!;
    for (let count = 0; count < 5; count += 1) await invitations.make(id, signal);
    await expect(other.check(ADA, first, signal)).rejects.toMatchObject(REFUSED);
    const last = await invitations.make(id, signal);
    await accounts.change(id, { isDisabled: true }, signal);
    await expect(other.check(ADA, last.text, signal)).rejects.toMatchObject(REFUSED);
  });
});
