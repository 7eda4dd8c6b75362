import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { connect, SdkError, sourceOfBytes, type Drive } from '../../src/sdk/index.js';
import { utf8 } from '../../src/sdk/bytes.js';
import { MemoryStateStore } from '../../src/sdk/memory.state-store.js';
import { nodeFloe } from '../../src/sdk/node-floe-back-end.js';
import { failureOf, newPerson } from '../support/e2ee-world.js';
import { changesSent, lastHeard, telling, turned, type Json } from '../support/lies.js';
import { SdkServer, TamperedNet } from '../support/sdk-server.js';

/** Grants and what an account notes for itself, by the whole client and from a real server whose answers are exchanged on their way. */
const RIGHTS_AT = 1 + 32 + 1 + 4;

let world: SdkServer;
let alice: Drive;
let bob: Drive;
let mallory: Drive;
const nets = { alice: new TamperedNet(), bob: new TamperedNet(), mallory: new TamperedNet() };
const state = new MemoryStateStore();

beforeAll(async () => {
  world = await SdkServer.start();
  alice = await world.join('alice', { fetch: nets.alice.fetch });
  bob = await world.join('bob', { fetch: nets.bob.fetch, state });
  mallory = await world.join('mallory', { fetch: nets.mallory.fetch });
  for (const path of ['/One', '/Two']) await alice.mkdir(path);
  await alice.upload('/One/file', sourceOfBytes(utf8('one')));
  await alice.share('/One', 'bob', 'read');
  await alice.share('/Two', 'mallory', 'read');
  await mallory.mkdir('/Bait');
  await mallory.share('/Bait', 'alice', 'read');
  await mallory.share('/Bait', 'bob', 'read');
  for await (const { id, from } of bob.shared()) if (from === 'alice') await bob.accept(id);
});

afterEach(() => Object.values(nets).forEach((net) => net.honest()));

afterAll(async () => {
  await world.remove();
});

const sharesOf = async (name: keyof typeof nets, drive: Drive): Promise<readonly Json[]> =>
  (await lastHeard(nets[name], 'items', () => Array.fromAsync(drive.shared())))['items'] as Json[];

/** What is shared with somebody, as the server says. */
function sharing(name: keyof typeof nets, ...items: readonly Json[]): void {
  nets[name].answer = ({ path }, response) => (path === '/drive/shared' ? Response.json({ items }) : response);
}

/** The ids of grants do not change with who is shown them. */
const grantId = (share: Json): string => {
  const hex = Buffer.from(share['grant'] as string, 'base64url')
    .subarray(1, 17)
    .toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
};

/** That a share is not shown, and cannot be accepted. */
async function expectRefused(name: keyof typeof nets, share: Json, failure?: string): Promise<void> {
  const drive = { alice, bob, mallory }[name];
  sharing(name, share);
  expect(await Array.fromAsync(drive.shared())).toEqual([]);
  const refusal = await failureOf(drive.accept(grantId(share)));
  expect(refusal).toEqual(failure ?? expect.any(String));
  nets[name].honest();
}

const fromAlice = async (): Promise<Json> => (await sharesOf('bob', bob)).find((share) => share['owner'] === alice.account.id)!;

const fromMallory = async (): Promise<Json> =>
  (await sharesOf('bob', bob)).find((share) => share['owner'] === mallory.account.id)!;

// Stands on the pin, which lies in the account's vault (src/sdk/pins.ts).
it('attack 2 through the client: nothing is granted to other keys than those of a contact', async () => {
  const { bundleBytes } = await newPerson('bob', bob.account.id);
  const identity = Buffer.from(bundleBytes).toString('base64url');
  nets.alice.answer = ({ path }, response) =>
    /^\/auth\/(?:users|identities)\//u.test(path) ? Response.json({ identity, identities: [identity] }) : response;
  const sent = await changesSent(nets.alice, async () => {
    expect(await failureOf(alice.share('/Two', 'bob', 'read'))).toBe('identity-changed');
    expect(await failureOf(alice.share('/One', 'bob', 'write'))).toBe('identity-changed');
    expect(await failureOf(alice.contacts.safetyNumber('bob'))).toBe('identity-changed');
  });
  expect(sent).toEqual([]);
});

describe('attack 16 through the client: a grant', () => {
  // Stands on the recipient in the grant (src/sdk/grant.ts) and on the key that it is sealed to.
  it('is not redirected to somebody else', async () => {
    const share = await fromAlice();
    await expectRefused('mallory', share, 'not-yours');
    await expectRefused('alice', { ...share, owner: mallory.account.id }, 'not-yours');
    await expectRefused('bob', { ...share, owner: mallory.account.id }, 'not-yours');
    await expectRefused('bob', { ...share, owner: bob.account.id }, 'not-yours');
  });

  // Stands on the node in the grant (src/sdk/shared-with-me.ts, `open`) and on the id in the record (src/sdk/drive-record.ts).
  it('is not pointed at another node', async () => {
    const [share, bait] = [await fromAlice(), await fromMallory()];
    const other = (await sharesOf('mallory', mallory)).find(({ owner }) => owner === alice.account.id)!['node'] as Json;
    const { id } = share['node'] as Json;
    for (const node of [other, { ...other, id }, bait['node']]) await expectRefused('bob', { ...share, node }, 'damaged');
  });

  // Stands on the signature and on the head in the context of the seal (src/sdk/grant.ts): both are taken out.
  it('does not become a right to write', async () => {
    const share = await fromAlice();
    const grant = Buffer.from(share['grant'] as string, 'base64url');
    expect(grant[RIGHTS_AT]).toBe(1);
    grant[RIGHTS_AT] = 2;
    await expectRefused('bob', { ...share, grant: grant.toString('base64url') }, 'damaged');
    for (const at of [38, 60, 100, 1_000, -70, -1]) await expectRefused('bob', { ...share, grant: turned(share['grant'], at) });
    const sent = await changesSent(nets.bob, async () => {
      expect(await failureOf(bob.upload('@One/new', sourceOfBytes(utf8('new'))))).toBe('forbidden');
      expect(await failureOf(bob.mkdir('@One/new'))).toBe('forbidden');
      expect(await failureOf(bob.rename('@One/file', 'new'))).toBe('forbidden');
      expect(await failureOf(bob.share('@One/file', 'mallory', 'read'))).toBe('not-yours');
    });
    expect(sent).toEqual([]);
  });

  // Stands on the owner's signature of the grant (src/sdk/grant.ts), and of the record.
  it('is not made in the name of somebody else, nor put in the place of what was accepted', async () => {
    const bait = await fromMallory();
    const node = { ...(bait['node'] as Json), owner: alice.account.id };
    await expectRefused('bob', { ...bait, owner: alice.account.id, node }, 'not-yours');
    sharing('bob', { ...bait, owner: alice.account.id, node });
    expect(await failureOf(bob.stat('@One'))).toBe('not-found');
    const share = await fromAlice();
    sharing('bob', { ...share, owner: mallory.account.id });
    expect(await failureOf(bob.stat('@One'))).toBe('not-found');
    nets.bob.answer = telling('record', (of) => ({ ...node, id: of['id'] }));
    expect(await failureOf(bob.stat('@One'))).toBe('not-yours');
    expect(await Array.fromAsync(bob.shared())).toEqual([]);
    nets.bob.honest();
    expect(await bob.stat('@One/file')).toMatchObject({ size: 3 });
  });

  // Nothing stands in the tree that nobody said yes to (src/sdk/mounts.ts).
  it('mounts nothing by itself', async () => {
    expect((await Array.fromAsync(bob.shared())).map(({ entry }) => entry.name).sort()).toEqual(['Bait', 'One']);
    expect(await failureOf(bob.stat('@Bait'))).toBe('not-found');
    expect(await Array.fromAsync(bob.list('/'))).toEqual([]);
  });
});

describe('attack 16 through the client: to the owner, grants that the server adds', () => {
  // Stands on the node and the signature of each grant (src/sdk/sharing-state.ts, src/sdk/grant.ts).
  it('do not become somebody who is granted again', async () => {
    const [other] = (await lastHeard(nets.alice, 'grants', () => alice.sharing('/Two')))['grants'] as string[];
    const [bait] = (await lastHeard(nets.mallory, 'grants', () => mallory.sharing('/Bait')))['grants'] as string[];
    for (const [added, failure] of [
      [other, 'damaged'],
      [bait, 'not-yours'],
    ] as const) {
      nets.alice.answer = telling('grants', (of) => ({ ...of, grants: [...(of['grants'] as string[]), added] }));
      const sent = await changesSent(nets.alice, async () => {
        expect(await failureOf(alice.share('/One', 'bob', 'write'))).toBe(failure);
        expect(await failureOf(alice.unshare('/One', 'bob'))).toBe(failure);
        expect(await failureOf(alice.sharing('/One'))).toBe(failure);
      });
      expect(sent).toEqual([]);
    }
  });

  // Stands on the generation of a grant (src/sdk/sharing-state.ts, `readSharing`).
  it('do not bring back who was removed', async () => {
    await alice.mkdir('/Three');
    await alice.share('/Three', 'mallory', 'read');
    const { grants: old } = await lastHeard(nets.alice, 'grants', () => alice.sharing('/Three'));
    await alice.unshare('/Three', 'mallory');
    nets.alice.answer = telling('grants', (of) => ({ ...of, grants: [...(of['grants'] as string[]), ...(old as string[])] }));
    expect((await alice.sharing('/Three')).grants).toEqual([]);
    await alice.share('/Three', 'bob', 'read');
    expect((await alice.sharing('/Three')).grants).toMatchObject([{ userName: 'bob' }]);
    nets.alice.honest();
    expect((await alice.sharing('/Three')).grants).toMatchObject([{ userName: 'bob' }]);
  });
});

describe('what an account notes for itself', () => {
  const vault =
    (name: string, lie: (honest: Json) => unknown): TamperedNet['answer'] =>
    (passing, response) =>
      passing.path === `/drive/vault/${name}` ? telling('bytes', lie)(passing, response) : response;

  const noted = (name: string, work: () => Promise<unknown>): Promise<Json> => {
    let last: Json = {};
    nets.bob.answer = vault(name, (of) => (last = of));
    return work().then(() => last);
  };

  // Stands on src/sdk/sealed-vault.ts, `remember`, and on what the device keeps of it.
  it('attack 15 through the client: is not taken back, also after a restart of the device', async () => {
    const [bait] = (await Array.fromAsync(bob.shared())).filter(({ from }) => from === 'mallory');
    await bob.accept(bait!.id);
    const mounts = await noted('mounts', () => bob.stat('@Bait'));
    nets.bob.honest();
    await bob.leave('@Bait');
    for (const when of ['at once', 'after a restart']) {
      if (when !== 'at once') {
        await bob.close();
        bob = (await (await connect(world.server.url, { floe: nodeFloe, state, fetch: nets.bob.fetch })).resume())!;
      }
      nets.bob.answer = vault('mounts', () => mounts);
      expect(await failureOf(bob.stat('@Bait'))).toBe('rolled-back');
      nets.bob.answer = vault('mounts', ({ revision }) => ({ ...mounts, revision }));
      expect(await failureOf(bob.stat('@Bait'))).toBe('damaged');
      nets.bob.answer = ({ path }, response) =>
        path.startsWith('/drive/vault/') ? Response.json({ code: 'vault-not-found' }, { status: 404 }) : response;
      expect(await failureOf(bob.stat('@One'))).toBe('rolled-back');
      expect(await failureOf(bob.contacts.list())).toBe('rolled-back');
      nets.bob.honest();
      expect(await failureOf(bob.stat('@Bait'))).toBe('not-found');
    }
  });

  // Stands on the one answer of `openSeal` (src/sdk/seal.ts), whether the key or the rest was wrong.
  it('attack 20 through the client: fails alike, whatever was changed', async () => {
    const told = new Set<string>();
    for (const at of [1, 20, 25, 40, 56, 57, 70, -20, -1]) {
      nets.bob.answer = vault('contacts', (of) => ({ ...of, bytes: turned(of['bytes'], at) }));
      const requests = nets.bob.requests.length;
      const error = await bob.contacts.list().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(SdkError);
      const { kind, message, code, cause } = error as SdkError;
      told.add(JSON.stringify([kind, message, code, cause, nets.bob.requests.slice(requests)]));
    }
    expect([...told].map((text) => (JSON.parse(text) as unknown[])[0])).toEqual(['damaged']);
  });
});
