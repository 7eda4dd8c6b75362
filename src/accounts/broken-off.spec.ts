import { afterEach, describe, expect, it } from '@jest/globals';
import { LoginWorld } from '../../test/support/login-world.js';
import { MemoryDocumentStore } from '../../test/support/memory.document-store.js';
import type { FileId } from '../common/ids.js';
import type { DocumentStore, StoredDocument } from '../documents/document-store.js';

const { signal } = new AbortController();

/** Does what it is told, and then the answer is lost, as of a client that left or of nodes that went. */
class LosingDocumentStore extends MemoryDocumentStore {
  loses: 'create' | 'replace' | 'remove' | undefined;
  /** What happens besides. */
  onLoss: (() => void) | undefined;

  override async create(...args: Parameters<DocumentStore['create']>): Promise<StoredDocument> {
    if (this.loses === 'create' && args[0] === 'logins') this.lose();
    return super.create(...args);
  }

  override async replace(...args: Parameters<DocumentStore['replace']>): Promise<StoredDocument> {
    const stored = await super.replace(...args);
    if (this.loses === 'replace') this.lose();
    return stored;
  }

  override async remove(...args: Parameters<DocumentStore['remove']>): Promise<void> {
    await super.remove(...args);
    if (this.loses === 'remove') this.lose();
  }

  private lose(): never {
    this.loses = undefined;
    this.onLoss?.();
    throw new Error('lost');
  }
}

let world: LoginWorld;
let documents: LosingDocumentStore;

async function start(limits = {}): Promise<void> {
  documents = new LosingDocumentStore();
  world = await LoginWorld.make(limits, documents);
}

/** A session as requests use it: known without a look into the store. */
async function use(id: FileId): Promise<boolean> {
  const credential = world.sessions.known(id) ?? (await world.sessions.find(id, signal));
  if (credential !== undefined) world.sessions.accepted(id, credential);
  return credential !== undefined;
}

afterEach(async () => {
  await world.remove();
});

describe('what is broken off', () => {
  it('a change of the password of which the answer is lost ends the other sessions all the same', async () => {
    await start();
    await world.register('ada');
    const [own, other] = [(await world.logIn('ada')).session.id, (await world.logIn('ada')).session.id];
    expect([await use(own), await use(other)]).toEqual([true, true]);
    documents.loses = 'replace';
    await expect(world.change('ada', own)).rejects.toThrow('lost');
    expect([await use(own), await use(other)]).toEqual([true, false]);
  });

  it('a session is over if it was removed and the answer to that is lost', async () => {
    await start();
    await world.register('ada');
    const { id, accountId } = (await world.logIn('ada')).session;
    expect(await use(id)).toBe(true);
    documents.loses = 'remove';
    await expect(world.sessions.end(accountId, id, signal)).rejects.toThrow('lost');
    expect(await use(id)).toBe(false);
  });

  it('a registration leaves no account behind when its client leaves', async () => {
    await start();
    const client = new AbortController();
    documents.loses = 'create';
    documents.onLoss = () => client.abort();
    await expect(world.register('ada', client.signal)).rejects.toThrow('lost');
    expect(world.accounts.list().map(({ name }) => name)).toEqual(['root']);
    await world.register('ada');
    expect((await world.logIn('ada')).session.userName).toBe('ada');
  });
});

it('nobody makes accounts without end where everybody may register', async () => {
  await start({ failed_attempts_max: 3 });
  for (const name of ['ada', 'bob', 'eve']) await world.register(name);
  await expect(world.register('mallory')).rejects.toMatchObject({ code: 'too-many-attempts' });
});
