import { beforeEach, describe, expect, it } from '@jest/globals';
import { type OwnerId, STORE_OWNER } from '../common/ids.js';
import { AccountLimits, type KnownOwner, type Quota } from './account-limits.js';

const ADA = 'ada' as OwnerId;
const NO_LIMIT: Quota = { bytes: null, files: null };

let limits: AccountLimits;
let accounts: Map<OwnerId, Quota>;

const refused = (code: string): unknown => expect.objectContaining({ code });

const known = (quota: Quota | undefined): KnownOwner | undefined => quota && { quota, owners: [ADA] };

beforeEach(() => {
  limits = new AccountLimits();
  accounts = new Map([[ADA, NO_LIMIT]]);
  limits.knowBy((owner) => known(accounts.get(owner)));
});

describe('the end of an owner', () => {
  it('waits for nobody, and is refused while the owner stores anything', async () => {
    const done = [limits.begin(ADA), limits.begin(ADA)];
    for (const each of done) {
      await expect(limits.end(ADA, () => Promise.resolve())).rejects.toEqual(refused('account-not-empty'));
      each();
    }
    await limits.end(ADA, () => Promise.resolve());
  });

  it('lets it store nothing from its beginning on, and again if it fails', async () => {
    const gone = limits.end(ADA, () => {
      expect(() => limits.begin(ADA)).toThrow('no more');
      return Promise.reject(new Error('no'));
    });
    await expect(gone).rejects.toThrow('no');
    limits.begin(ADA)();
    await limits.end(ADA, () => {
      accounts.delete(ADA);
      return Promise.resolve();
    });
    expect(() => limits.begin(ADA)).toThrow('no more');
  });

  it('is none of the store, which needs no account', () => {
    limits.begin(STORE_OWNER)();
  });
});
