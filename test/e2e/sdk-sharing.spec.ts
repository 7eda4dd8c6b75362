import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readAccountState, type AccountState } from '../../src/sdk/account-state.js';
import { concat, fromBase64Url, utf8, type Bytes } from '../../src/sdk/bytes.js';
import { connect } from '../../src/sdk/connect.js';
import { Device } from '../../src/sdk/device.js';
import type { Drive } from '../../src/sdk/drive-api.js';
import type { NodeKeys } from '../../src/sdk/drive-keys.js';
import { openNodeRecord, readNodeHead } from '../../src/sdk/drive-record.js';
import { openGrant } from '../../src/sdk/grant.js';
import { fetchBundle } from '../../src/sdk/login-calls.js';
import { MemoryStateStore } from '../../src/sdk/memory.state-store.js';
import { openManifest, readManifestHead } from '../../src/sdk/revision-manifest.js';
import { SeenMemory } from '../../src/sdk/seen-memory.js';
import { sourceOfBytes, sourceOfStream } from '../../src/sdk/source.js';
import { Transport } from '../../src/sdk/transport.js';
import { Writers } from '../../src/sdk/writers.js';
import { addAccount, initAdmin } from '../support/accounts.js';
import { Client } from '../support/client.js';
import { failureOf } from '../support/e2ee-world.js';
import { answerOf } from '../support/logins.js';
import { TestServer } from '../support/server.js';

const GENEROUS = { failed_attempts_max: 1000, login_attempts_max: 1000 };
const never = new AbortController().signal;

let server: TestServer;
let admin: Client;

/** Somebody with a first device, whose traffic can be looked at and changed. */
class Somebody {
  readonly state = new MemoryStateStore();
  /** Everything that the server told this device. */
  readonly heard: unknown[] = [];
  /** What a server in between makes of an answer. */
  lie: (path: string, answer: unknown) => unknown = (_, answer) => answer;
  /** What happens before a request goes out. */
  before: (method: string, path: string) => void | Promise<void> = () => undefined;
  drive!: Drive;

  constructor(
    readonly userName: string,
    private readonly password = `a password of ${userName}: quokka-72`,
  ) {}

  async register(): Promise<this> {
    const account = await addAccount(admin, { name: this.userName });
    const invitation = (await answerOf(admin.json('POST', '/auth/invitations', { account })))['invitation']!;
    const gate = await connect(server.url, { state: this.state, fetch: this.fetch.bind(this) });
    this.drive = (await gate.register({ userName: this.userName, password: this.password, invitation })).drive;
    return this;
  }

  /** One more device. */
  async device(): Promise<Somebody> {
    const other = new Somebody(this.userName, this.password);
    const gate = await connect(server.url, { state: other.state, fetch: other.fetch.bind(other) });
    other.drive = await gate.login({ userName: this.userName, password: this.password });
    return other;
  }

  /** The private half of the account, as its device holds it. */
  async keys(): Promise<AccountState> {
    const { session, master } = (await new Device(this.state, new URL(server.url).origin).account())!;
    const transport = new Transport(new URL(server.url).origin).as(session);
    const kept = await fetchBundle(transport, never);
    return readAccountState({ transport, userName: this.userName, master, seen: new SeenMemory() }, kept, never);
  }

  private async fetch(...[input, init]: Parameters<typeof fetch>): Promise<Response> {
    await this.before(init?.method ?? 'GET', new URL(input as string).pathname);
    const response = await fetch(input, init);
    if (!(response.headers.get('content-type') ?? '').startsWith('application/json')) return response;
    const answer: unknown = await response.json();
    this.heard.push(answer);
    const told = this.lie(new URL(input as string).pathname, answer);
    return new Response(JSON.stringify(told), { status: response.status, headers: response.headers });
  }
}

const put = (drive: Drive, path: string, text: string): Promise<unknown> => drive.upload(path, sourceOfBytes(utf8(text)));

async function get(from: Pick<Drive, 'download'>, path: string): Promise<string> {
  const { body } = await from.download(path);
  return Buffer.from(concat(...(await Array.fromAsync(body)))).toString('utf8');
}

const namesIn = async (from: Pick<Drive, 'list'>, path: string): Promise<readonly string[]> =>
  (await Array.fromAsync(from.list(path))).map(({ name }) => name).sort();

/** Accepts the only thing that was shared. */
async function acceptOne(somebody: Somebody): Promise<string> {
  const [shared] = await Array.fromAsync(somebody.drive.shared());
  return somebody.drive.accept(shared!.id);
}

/** Everything of one kind in what a server told, however deep it lies. */
function found(value: unknown, name: string, into: unknown[] = []): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return into;
  for (const [key, inner] of Object.entries(value)) {
    if (key === name) into.push(inner);
    found(inner, name, into);
  }
  return into;
}

const bytesFound = (value: unknown, name: string): readonly Bytes[] =>
  found(value, name).flatMap((text) => (typeof text === 'string' ? [fromBase64Url(text) as Bytes] : []));

beforeAll(async () => {
  server = await TestServer.start({ config: { limits: GENEROUS } });
  admin = new Client(server.url, undefined, await initAdmin(server.url, server.storage));
});

afterAll(async () => {
  await server.remove();
});

describe('sharing by the SDK', () => {
  it('two accounts and three devices read and write one folder; a reader only reads', async () => {
    const alice = await new Somebody('alice').register();
    const bob = await new Somebody('bob').register();
    const second = await alice.device();
    await alice.drive.mkdir('/Projekt/Pläne', { parents: true });
    await put(alice.drive, '/Projekt/Pläne/a.txt', 'von Alice');
    await alice.drive.share('/Projekt', 'bob', 'read');
    const path = await acceptOne(bob);
    expect(path).toBe('@Projekt');
    expect(await get(bob.drive, '@Projekt/Pläne/a.txt')).toBe('von Alice');
    expect(await failureOf(put(bob.drive, '@Projekt/b.txt', 'x'))).toBe('forbidden');
    expect(await failureOf(bob.drive.share('@Projekt', 'alice', 'read'))).toBe('not-yours');

    await second.drive.share('/Projekt', 'bob', 'write');
    await put(bob.drive, '@Projekt/b.txt', 'von Bob');
    await put(bob.drive, '@Projekt/Pläne/a.txt', 'von Bob geändert');
    await bob.drive.mkdir('@Projekt/Neues');
    expect(await get(alice.drive, '/Projekt/Pläne/a.txt')).toBe('von Bob geändert');
    await put(second.drive, '/Projekt/b.txt', 'von Alice geändert');
    expect(await get(bob.drive, '@Projekt/b.txt')).toBe('von Alice geändert');
    expect(await namesIn(alice.drive, '/Projekt')).toEqual(['Neues', 'Pläne', 'b.txt']);
    const writers = (await Array.fromAsync(alice.drive.history('/Projekt/Pläne/a.txt'))).map(({ writer }) => writer);
    expect(writers).toEqual([bob.drive.account.id, alice.drive.account.id]);
    expect((await alice.drive.sharing('/Projekt')).grants).toMatchObject([{ userName: 'bob', rights: 'write' }]);
    await bob.drive.leave('@Projekt');
    expect(await failureOf(get(bob.drive, '@Projekt/b.txt'))).toBe('not-found');
  });

  it('a single file is written by whom it is shared with, and not any more when that ends', async () => {
    const grace = await new Somebody('grace').register();
    const heidi = await new Somebody('heidi').register();
    await grace.drive.mkdir('/Akten');
    await put(grace.drive, '/Akten/Notiz.txt', 'erste');
    await grace.drive.share('/Akten/Notiz.txt', 'heidi', 'read');
    const path = await acceptOne(heidi);
    expect(path).toBe('@Notiz.txt');
    expect(await failureOf(put(heidi.drive, path, 'x'))).toBe('forbidden');

    await grace.drive.share('/Akten/Notiz.txt', 'heidi', 'write');
    expect(await heidi.drive.upload(path, sourceOfBytes(utf8('zweite')))).toMatchObject({ path, revision: 2, size: 6 });
    expect(await get(grace.drive, '/Akten/Notiz.txt')).toBe('zweite');
    const long = 'sehr lang '.repeat(20_000); // in a part of its own
    await put(heidi.drive, path, long);
    await heidi.drive.upload(path, sourceOfStream(new Blob([long, long]).stream()));
    expect(await get(grace.drive, '/Akten/Notiz.txt')).toBe(long + long);
    expect(await failureOf(heidi.drive.upload(path, sourceOfBytes(utf8('x')), { replace: false }))).toBe('exists');
    expect(await heidi.drive.restore(path, 1)).toMatchObject({ path, revision: 5, size: 5 });
    await put(grace.drive, '/Akten/Notiz.txt', 'von Grace');
    expect(await get(heidi.drive, path)).toBe('von Grace');
    const writers = (await Array.fromAsync(grace.drive.history('/Akten/Notiz.txt'))).map(({ writer }) => writer);
    const [owner, other] = [grace.drive.account.id, heidi.drive.account.id];
    expect(writers).toEqual([owner, other, other, other, other, owner]);

    await grace.drive.unshare('/Akten/Notiz.txt', 'heidi');
    expect(await failureOf(put(heidi.drive, path, 'x'))).toMatch(/forbidden|not-found/);
    expect(await get(grace.drive, '/Akten/Notiz.txt')).toBe('von Grace');
  });

  it('what a guest wrote stays readable when its owner takes it out of the shared folder, and after the share has ended', async () => {
    const ines = await new Somebody('ines').register();
    const jan = await new Somebody('jan').register();
    await ines.drive.mkdir('/Team');
    await ines.drive.share('/Team', 'jan', 'write');
    const path = await acceptOne(jan);
    await put(jan.drive, `${path}/a.txt`, 'von Jan');
    await jan.drive.mkdir(`${path}/Ordner`);
    await put(jan.drive, `${path}/Ordner/b.txt`, 'auch von Jan');
    await ines.drive.move('/Team/a.txt', '/');
    const { id } = await ines.drive.stat('/Team/Ordner');
    ines.before = async (method, at) => {
      if (method !== 'PUT' || !at.endsWith(id)) return;
      ines.before = () => undefined; // right before the folder goes
      await put(jan.drive, `${path}/Ordner/c.txt`, 'im letzten Moment');
    };
    await ines.drive.move('/Team/Ordner', '/');
    expect(await get(ines.drive, '/a.txt')).toBe('von Jan');
    expect(await namesIn(ines.drive, '/Ordner')).toEqual(['b.txt', 'c.txt']);
    expect(await get(ines.drive, '/Ordner/c.txt')).toBe('im letzten Moment');
    expect(await get(ines.drive, '/Ordner/b.txt')).toBe('auch von Jan');
    await ines.drive.unshare('/Team', 'jan');
    const other = await ines.device();
    for (const drive of [ines.drive, other.drive]) {
      expect(await get(drive, '/a.txt')).toBe('von Jan');
      expect(await get(drive, '/Ordner/b.txt')).toBe('auch von Jan');
    }
    const past = (await Array.fromAsync(other.drive.history('/a.txt'))).map(({ writer }) => writer);
    expect(past).toEqual([ines.drive.account.id, jan.drive.account.id]);
    await put(ines.drive, '/a.txt', 'von Ines');
    expect(await other.drive.restore('/a.txt', 1)).toMatchObject({ revision: 4, size: 7 });
    expect(await get(other.drive, '/a.txt')).toBe('von Jan');
    await put(ines.drive, '/Ordner/b.txt', 'von Ines');
    await ines.drive.remove('/Team');
    expect(await get(other.drive, '/Ordner/b.txt')).toBe('von Ines');
    expect(await get(other.drive, '/a.txt')).toBe('von Jan');
  });

  it('who is removed opens nothing that is written afterwards, with all that is stored and all keys that they had', async () => {
    const owner = await new Somebody('olga').register();
    const [gone, stays] = [await new Somebody('gustav').register(), await new Somebody('sara').register()];
    await owner.drive.mkdir('/Akten/tief', { parents: true });
    await put(owner.drive, '/Akten/tief/alt.txt', 'alt');
    await put(owner.drive, '/Akten/tief/privat.txt', 'noch nicht');
    for (const userName of ['gustav', 'sara']) await owner.drive.share('/Akten', userName, 'write');
    for (const one of [gone, stays]) await acceptOne(one);
    expect(await get(gone.drive, '@Akten/tief/alt.txt')).toBe('alt');

    const ownerKeys = await owner.keys();
    await Array.fromAsync(gone.drive.list('@Akten/tief'));
    const writers = await everybody(owner, gone, stays);
    const keys = await keysFrom(gone, ownerKeys, writers);
    expect(keys.length).toBeGreaterThanOrEqual(4);
    expect(await opened(owner.heard, { keys, writers })).toBeGreaterThan(0); // what they could read before, they may have kept

    const before = new Set(textsIn(owner.heard));
    await owner.drive.move('/Akten/tief/privat.txt', '/');
    await put(owner.drive, '/privat.txt', 'privat');
    await owner.drive.unshare('/Akten', 'gustav');
    await put(owner.drive, '/Akten/tief/alt.txt', 'neu');
    await put(stays.drive, '@Akten/tief/neu.txt', 'von Sara');
    await owner.drive.rename('/Akten/tief', 'flach');
    await put(owner.drive, '/Akten/flach/zwei.txt', 'zwei');
    const other = await owner.device();
    expect(await get(other.drive, '/Akten/flach/neu.txt')).toBe('von Sara');
    const after = [...owner.heard, ...other.heard, ...stays.heard];
    expect(textsIn(after).filter((text) => !before.has(text)).length).toBeGreaterThan(10);
    expect(await opened(after, { keys, writers, but: before })).toBe(0);

    expect(await failureOf(gone.drive.stat('@Akten'))).toBe('not-found');
    expect(await Array.fromAsync(gone.drive.shared())).toEqual([]);
    expect(await get(stays.drive, '@Akten/flach/alt.txt')).toBe('neu');
    expect((await Array.fromAsync(stays.drive.history('@Akten/flach/alt.txt'))).length).toBe(2);
  });

  it('a change of keys of either side keeps what is shared readable', async () => {
    const [owner, friend] = [await new Somebody('otto').register(), await new Somebody('frida').register()];
    const second = await owner.device();
    await owner.drive.mkdir('/Briefe');
    await put(owner.drive, '/Briefe/a.txt', 'eins');
    await put(owner.drive, '/allein.txt', 'eins');
    for (const path of ['/Briefe', '/allein.txt']) await owner.drive.share(path, 'frida', 'write');
    for await (const { id } of friend.drive.shared()) await friend.drive.accept(id);
    expect(await get(second.drive, '/Briefe/a.txt')).toBe('eins');
    await owner.drive.changeIdentity();
    expect(await get(friend.drive, '@Briefe/a.txt')).toBe('eins');
    await put(owner.drive, '/Briefe/a.txt', 'zwei');
    await put(owner.drive, '/allein.txt', 'zwei');
    expect(await get(friend.drive, '@Briefe/a.txt')).toBe('zwei');
    expect(await get(friend.drive, '@allein.txt')).toBe('zwei');
    await put(second.drive, '/Briefe/b.txt', 'von dem, der noch die alten Schlüssel kannte');
    await friend.drive.changeIdentity();
    await second.drive.share('/Briefe', 'frida', 'write');
    await put(friend.drive, '@Briefe/a.txt', 'drei');
    expect(await get(owner.drive, '/Briefe/a.txt')).toBe('drei');
  });

  // Attack 2, where it happens: the pin stands in the account's vault, so another device knows it too.
  it('another key in the place of a known person’s is told, and nothing is granted to it', async () => {
    const [owner, friend] = [await new Somebody('ole').register(), await new Somebody('fiete').register()];
    const other = await new Somebody('mallory').register();
    await owner.drive.mkdir('/Geheim');
    await owner.drive.share('/Geheim', 'fiete', 'read');
    const second = await owner.device();
    const { kept } = await other.keys();
    const identity = Buffer.from(kept.identity).toString('base64url');
    for (const device of [owner, second]) {
      device.lie = (path, answer) => {
        if (path.endsWith('/bundle') && path.includes('fiete')) return { ...(answer as object), identity };
        return path.endsWith(friend.drive.account.id) ? { identities: [identity] } : answer;
      };
    }
    for (const [{ drive }, path] of [
      [owner, '/Eins'],
      [second, '/Zwei'],
    ] as const) {
      await drive.mkdir(path);
      expect(await failureOf(drive.share(path, 'fiete', 'read'))).toBe('identity-changed');
      expect((await drive.sharing(path)).grants).toEqual([]);
      expect(await failureOf(drive.share('/Geheim', 'mallory', 'read'))).toBe('identity-changed');
    }
    await second.drive.unshare('/Geheim', 'fiete');
    expect((await second.drive.sharing('/Geheim')).grants).toEqual([]);
  });
});

describe('links by the SDK', () => {
  it('are opened without an account, with the password, as often and as long as was said', async () => {
    const owner = await new Somebody('lina').register();
    await owner.drive.mkdir('/Fotos/Sommer', { parents: true });
    await put(owner.drive, '/Fotos/Sommer/meer.txt', 'das Meer');
    const gate = await connect(server.url);
    const { id, url } = await owner.drive.link('/Fotos', { password: 'Sandburg', usesMax: 3 });
    expect(await failureOf(gate.openLink(url, { password: 'Sandkorn' }))).toBe('wrong-key');
    const view = await gate.openLink(url, { password: 'Sandburg' });
    expect(view.entry).toMatchObject({ name: 'Fotos', kind: 'folder', path: '/' });
    expect(await namesIn(view, '/Sommer')).toEqual(['meer.txt']);
    expect(await get(view, '/Sommer/meer.txt')).toBe('das Meer');
    await put(owner.drive, '/Fotos/Sommer/meer.txt', 'noch mehr Meer');
    expect(await get(view, '/Sommer/meer.txt')).toBe('noch mehr Meer');
    expect(await failureOf(gate.openLink(url))).toBe('wrong-key');
    expect(await failureOf(gate.openLink(url, { password: 'Sandburg' }))).toBe('link-over');
    expect((await owner.drive.sharing('/Fotos')).links).toMatchObject([{ id, hasPassword: true, usesLeft: 0 }]);

    const short = await owner.drive.link('/Fotos', { expiresAt: new Date(Date.now() + 1_500) });
    expect((await gate.openLink(short.url)).entry.name).toBe('Fotos');
    await new Promise((resolve) => setTimeout(resolve, 1_700));
    expect(await failureOf(gate.openLink(short.url))).toBe('link-over');
    const file = await owner.drive.link('/Fotos/Sommer/meer.txt');
    const ofFile = await gate.openLink(file.url);
    expect(await get(ofFile, '/')).toBe('noch mehr Meer');
    await owner.drive.unlink(file.id);
    expect(await failureOf(owner.drive.unlink(file.id))).toBe('link-over');
    expect(await failureOf(gate.openLink(file.url))).toBe('link-over');
    expect(await failureOf(get(ofFile, '/'))).toBe('link-over');
  });
});

/** Whose signatures count is not what is asked here: everybody's do. */
async function everybody(...people: readonly Somebody[]): Promise<Writers> {
  const keys = new Map<string, Bytes>();
  for (const one of people) keys.set(one.drive.account.id, (await one.keys()).bundle.verifyKey);
  return { keyOf: ({ accountId }: { accountId: string }) => keys.get(accountId) } as unknown as Writers;
}

/** All keys that somebody has by what the server told them until now. */
async function keysFrom(somebody: Somebody, { owner }: AccountState, writers: Writers): Promise<readonly Bytes[]> {
  const { identity, bundle } = await somebody.keys();
  const keys: Bytes[] = [];
  for (const grant of bytesFound(somebody.heard, 'grant'))
    keys.push((await openGrant(grant, { recipient: identity, recipientBundle: bundle.hash, owner })).nodeKey);
  // What a key opens gives further keys, which are tried in their turn.
  for (const key of keys)
    for (const record of bytesFound(somebody.heard, 'record')) {
      const expected = { nodeId: readNodeHead(record).nodeId, writers };
      const node = await openNodeRecord(record, { parentKeys: only(key) }, expected).catch(() => undefined);
      if (node !== undefined && !keys.some((one) => Buffer.from(one).equals(node.keys.current))) keys.push(node.keys.current);
    }
  return keys;
}

/** How many records and manifests open with any of these keys, as a node's own or as its folder's. */
async function opened(
  documents: unknown,
  { keys, writers, but = new Set() }: { keys: readonly Bytes[]; writers: Writers; but?: ReadonlySet<string> },
): Promise<number> {
  const news = (name: string): readonly Bytes[] =>
    bytesFound(documents, name).filter((bytes) => !but.has(Buffer.from(bytes).toString('base64url')));
  const count = async (attempt: Promise<unknown>): Promise<number> =>
    attempt.then(
      () => 1,
      () => 0,
    );
  let sum = 0;
  for (const key of keys) {
    for (const record of news('record')) {
      const { nodeId, generation } = readNodeHead(record);
      for (const access of [{ nodeKey: key, generation }, { parentKeys: only(key) }])
        sum += await count(openNodeRecord(record, access, { nodeId, writers }));
    }
    for (const manifest of news('manifest'))
      sum += await count(openManifest(manifest, only(key), { nodeId: readManifestHead(manifest).nodeId, writers }));
  }
  return sum;
}

function textsIn(documents: unknown): readonly string[] {
  return ['record', 'manifest'].flatMap((name) => found(documents, name).filter((text) => typeof text === 'string'));
}

/** One key in the place of all of a node. */
function only(key: Bytes): NodeKeys {
  return { current: key, generation: 1, at: () => key } as unknown as NodeKeys;
}
