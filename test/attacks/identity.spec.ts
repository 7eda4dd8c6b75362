import { describe, expect, it } from '@jest/globals';
import { openForSelf, sealForSelf } from '../../src/sdk/account-keys.js';
import { assertOwnBundle, followBundles, makeBundle, openBundle } from '../../src/sdk/identity-bundle.js';
import { openSeeds, sealSeeds } from '../../src/sdk/identity.js';
import { changeIdentity } from '../../src/sdk/key-change.js';
import { Pins } from '../../src/sdk/pins.js';
import { safetyNumber } from '../../src/sdk/safety-number.js';
import { concat } from '../../src/sdk/bytes.js';
import { FieldWriter } from '../../src/sdk/fields.js';
import { signed } from '../../src/sdk/signature.js';
import { failureOf, flipped, newPerson, NO_HASH, type Person } from '../support/e2ee-world.js';

describe('attack 2: a key of somebody else in the place of a contact’s', () => {
  // Stands on the pin (src/sdk/pins.ts, `meet`).
  it('is refused after the first contact, under the same id and under the same name', async () => {
    const bob = await newPerson('bob');
    const pins = new Pins();
    expect(pins.meet([bob.bundle], { userName: 'bob' })).toBe(bob.bundle);
    expect(pins.meet([bob.bundle], { userName: 'bob' })).toBe(bob.bundle);
    const sameId = await newPerson('bob', bob.identity.accountId);
    expect(await failureOf(() => pins.meet([sameId.bundle], { userName: 'bob' }))).toBe('identity-changed');
    const sameName = await newPerson('bob');
    expect(await failureOf(() => pins.meet([sameName.bundle], { userName: 'bob' }))).toBe('identity-changed');
    expect(pins.meet([bob.bundle], { userName: 'bob' })).toBe(bob.bundle);
  });

  // Stands on who was asked for (src/sdk/pins.ts, `isAskedFor`): a true bundle of another account, who is a stranger still.
  it('is refused under the name and the id of its own, if another one was asked for', async () => {
    const [bob, mallory] = [await newPerson('bob'), await newPerson('mallory')];
    const pins = new Pins();
    pins.meet([bob.bundle], { userName: 'Bob' });
    for (const asked of [{ userName: 'bob' }, { accountId: bob.identity.accountId }])
      expect(await failureOf(() => pins.meet([mallory.bundle], asked))).toBe('identity-changed');
    expect(pins.get(mallory.identity.accountId)).toBeUndefined();
    expect(pins.meet([bob.bundle], { accountId: bob.identity.accountId })).toBe(bob.bundle);
  });

  // Stands on the one form of a name (src/sdk/identity-bundle.ts, `openBundle`).
  it('is refused under a name that is read as the contact’s and is another one', async () => {
    const mallory = await newPerson('bob');
    for (const name of ['Bob', 'b\u043eb', 'bob\u200b', ' bob', 'bob\u202e', '\uff42ob'])
      expect(await failureOf(openBundle(await craftBundle(mallory, name)))).toBe('damaged');
    expect((await openBundle(await craftBundle(mallory, 'bob'))).userName).toBe('bob');
  });

  // Stands on the signature of the key before (src/sdk/identity-bundle.ts, `nextBundle`).
  it('does not pass for its next version without the old key', async () => {
    const bob = await newPerson('bob');
    const mallory = await newPerson('bob', bob.identity.accountId);
    const honest = await changeIdentity(bob.master, bob);
    const chain = await followBundles(bob.bundle, [honest.bundle]);
    expect(chain.at(-1)?.version).toBe(2);
    const identity = { ...mallory.identity, version: 2 };
    const forged = await makeBundle(identity, 'bob', { bundle: bob.bundle, signer: mallory.identity.signer });
    expect(await failureOf(followBundles(bob.bundle, [forged]))).toBe('identity-changed');
    const next = await changeIdentity(bob.master, { identity: honest.identity, bundle: chain[1]! });
    expect(await failureOf(followBundles(bob.bundle, [next.bundle]))).toBe('identity-changed'); // a gap
    const pins = new Pins();
    pins.meet([bob.bundle], { userName: 'bob' });
    pins.verify(bob.bundle);
    expect(pins.get(bob.identity.accountId)?.isVerified).toBe(true);
    pins.meet(chain, { userName: 'bob' });
    expect(pins.get(bob.identity.accountId)).toMatchObject({ version: 2, isVerified: false });
    expect(await failureOf(() => pins.meet([bob.bundle], { userName: 'bob' }))).toBe('identity-changed'); // back to the old one
  });

  it('is not in what the pins are kept as: they open only whole, and only as the revision that they are', async () => {
    const [alice, bob] = [await newPerson('alice'), await newPerson('bob')];
    const pins = new Pins();
    pins.meet([bob.bundle], { userName: 'bob' });
    const { bytes, revision } = await pins.seal(alice.master);
    const opened = await Pins.open(alice.master, bytes, revision);
    expect(opened.get(bob.identity.accountId)).toEqual(pins.get(bob.identity.accountId));
    expect(await failureOf(Pins.open(alice.master, bytes, revision + 1))).toBe('damaged');
    expect(await failureOf(Pins.open(alice.master, flipped(bytes, 80), revision))).toBe('damaged');
  });
});

// Stands on `assertOwnBundle`, and on the master key for what only we read.
it('attack 3: our own keys and settings cannot be substituted', async () => {
  const [alice, mallory] = [await newPerson('alice'), await newPerson('alice')];
  const other = await newPerson('alice', alice.identity.accountId);
  assertOwnBundle(alice.bundle, alice.identity);
  expect(await failureOf(() => assertOwnBundle(other.bundle, alice.identity))).toBe('identity-changed');
  const sealed = await sealSeeds(alice.master, alice.seeds, 1);
  expect(await openSeeds(alice.master, sealed, 1)).toEqual(alice.seeds);
  expect(await failureOf(openSeeds(alice.master, await sealSeeds(mallory.master, mallory.seeds, 1), 1))).toBe('damaged');
  expect(await failureOf(openSeeds(alice.master, sealed, 2))).toBe('damaged');
  const settings = await sealForSelf(mallory.master, 'settings', { bytes: Uint8Array.of(1), revision: 1 });
  expect(await failureOf(openForSelf(alice.master, 'settings', { bytes: settings, revision: 1 }))).toBe('damaged');
});

it('a bundle signs all of itself', async () => {
  const { bundleBytes } = await newPerson('alice');
  for (let at = 1; at < bundleBytes.length; at += 5)
    expect(await failureOf(openBundle(flipped(bundleBytes, at)))).toBe('damaged');
});

it('two people compute one safety number, and another key makes another one', async () => {
  const [alice, bob] = [await newPerson('alice'), await newPerson('bob')];
  const number = await safetyNumber(alice.bundle, bob.bundle);
  expect(number).toMatch(/^(?:\d{5} ){11}\d{5}$/);
  expect(await safetyNumber(bob.bundle, alice.bundle)).toBe(number);
  const mallory = await newPerson('bob', bob.identity.accountId);
  expect(await safetyNumber(alice.bundle, mallory.bundle)).not.toBe(number);
});

/** A bundle as a client makes it that lets every name through. */
async function craftBundle({ identity }: Person, userName: string): Promise<Uint8Array> {
  const { accountId, signer, recipient } = identity;
  const body = new FieldWriter().u8(1).id(accountId).text(userName).u32(1).fixed(NO_HASH).fixed(signer.verifyKey);
  const own = await signed('dcloud/e2ee/v1/bundle', body.fixed(recipient.sealingKey).finish(), signer);
  return concat(own, new Uint8Array(64));
}
