import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { errorCode } from '../../src/common/errors.js';
import { newId, type FileId, type VersionId } from '../../src/common/ids.js';
import {
  DOCUMENT_BYTES_MAX,
  type DocumentQuery,
  type DocumentStore,
  type StoredDocument,
} from '../../src/documents/document-store.js';

export interface DocumentHarness {
  readonly store: DocumentStore;
  dispose(): Promise<void>;
}

const NEVER = new AbortController().signal;
const ACCOUNTS = 'accounts';
const OTHERS = 'auth-tokens';

const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'utf8');
const textOf = (document: StoredDocument | undefined): string | undefined =>
  document && Buffer.from(document.bytes).toString('utf8');

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  const [result] = await Promise.allSettled([work]);
  if (result.status === 'fulfilled') return 'none';
  return errorCode(result.reason) ?? String(result.reason);
}

async function listAll(store: DocumentStore, collection: string, query: DocumentQuery): Promise<StoredDocument[]> {
  const all: StoredDocument[] = [];
  for (let cursor: Uint8Array | undefined; ;) {
    const page = await store.list(collection, { ...query, ...(cursor && { cursor }) }, NEVER);
    all.push(...page.documents);
    if (page.nextCursor === undefined) return all;
    expect(page.documents).toHaveLength(query.limit);
    cursor = page.nextCursor;
  }
}

/** What every adapter of DocumentStore must keep. The factory makes an empty store; each case has its own. */
export function describeDocumentStore(title: string, makeHarness: () => Promise<DocumentHarness>): void {
  describe(`${title} keeps the contract of DocumentStore`, () => {
    let harness: DocumentHarness;
    let store: DocumentStore;

    beforeEach(async () => {
      harness = await makeHarness();
      ({ store } = harness);
    });

    afterEach(() => harness.dispose());

    const create = (key: string, text = key, collection = ACCOUNTS): Promise<StoredDocument> =>
      store.create(collection, key, bytesOf(text), NEVER);

    it('keeps a document, and finds it by its key and by its id', async () => {
      const made = await create('alice', 'content');
      expect(made).toMatchObject({ key: 'alice' });
      expect(textOf(made)).toBe('content');
      for (const found of [await store.get(ACCOUNTS, 'alice', NEVER), await store.find(ACCOUNTS, made.id, NEVER)]) {
        expect(found).toMatchObject({ id: made.id, key: 'alice', revision: made.revision });
        expect(textOf(found)).toBe('content');
      }
    });

    it('finds nothing where nothing is, also not what a longer or shorter key has', async () => {
      await create('alice');
      for (const key of ['alic', 'alice ', 'alice/x', 'bob', 'ALICE'])
        expect(await store.get(ACCOUNTS, key, NEVER)).toBeUndefined();
      expect(await store.find(ACCOUNTS, newId<FileId>(), NEVER)).toBeUndefined();
    });

    it('keeps collections apart, by key, by id, in lists and for changes', async () => {
      const made = await create('alice');
      const other = await create('alice', 'another', OTHERS);
      expect(textOf(await store.get(OTHERS, 'alice', NEVER))).toBe('another');
      expect(await store.find(OTHERS, made.id, NEVER)).toBeUndefined();
      const change = { bytes: bytesOf('x'), expected: made.revision };
      expect(await codeOf(store.replace(OTHERS, made.id, change, NEVER))).toBe('document-not-found');
      expect(await codeOf(store.remove(OTHERS, made.id, undefined, NEVER))).toBe('document-not-found');
      const listed = await listAll(store, OTHERS, { prefix: '', limit: 10 });
      expect(listed.map(({ id }) => id)).toEqual([other.id]);
      expect(textOf(await store.get(ACCOUNTS, 'alice', NEVER))).toBe('alice');
    });

    it('refuses a key that is taken, and gives it away again when it is free', async () => {
      const made = await create('alice');
      expect(await codeOf(create('alice', 'second'))).toBe('document-exists');
      expect(textOf(await store.get(ACCOUNTS, 'alice', NEVER))).toBe('alice');
      await store.remove(ACCOUNTS, made.id, made.revision, NEVER);
      expect(await store.get(ACCOUNTS, 'alice', NEVER)).toBeUndefined();
      expect(await store.find(ACCOUNTS, made.id, NEVER)).toBeUndefined();
      const again = await create('alice', 'third');
      expect(again.id).not.toBe(made.id);
    });

    it('lets one of many win that want the same key at once', async () => {
      const codes = await Promise.all(Array.from({ length: 8 }, (_, index) => codeOf(create('alice', String(index)))));
      expect(codes.toSorted()).toEqual([...Array.from({ length: 7 }, () => 'document-exists'), 'none']);
      const winner = String(codes.indexOf('none'));
      expect(textOf(await store.get(ACCOUNTS, 'alice', NEVER))).toBe(winner);
      expect(await listAll(store, ACCOUNTS, { prefix: '', limit: 100 })).toHaveLength(1);
    });

    it('replaces the content of the revision that is expected, and gives it a new one', async () => {
      const made = await create('alice', 'one');
      const change = { bytes: bytesOf('two'), expected: made.revision };
      const after = await store.replace(ACCOUNTS, made.id, change, NEVER);
      expect(after).toMatchObject({ id: made.id, key: 'alice' });
      expect(after.revision).not.toBe(made.revision);
      expect(textOf(after)).toBe('two');
      expect(await store.get(ACCOUNTS, 'alice', NEVER)).toMatchObject({ id: made.id, revision: after.revision });
      expect(textOf(await store.find(ACCOUNTS, made.id, NEVER))).toBe('two');
      expect(await codeOf(store.replace(ACCOUNTS, made.id, change, NEVER))).toBe('precondition-failed');
      expect(textOf(await store.get(ACCOUNTS, 'alice', NEVER))).toBe('two');
    });

    it('lets one of many changes of the same revision win', async () => {
      const { id, revision: expected } = await create('alice');
      const codes = await Promise.all(
        Array.from({ length: 8 }, (_, index) =>
          codeOf(store.replace(ACCOUNTS, id, { bytes: bytesOf(String(index)), expected }, NEVER)),
        ),
      );
      expect(codes.toSorted()).toEqual(['none', ...Array.from({ length: 7 }, () => 'precondition-failed')]);
      expect(textOf(await store.find(ACCOUNTS, id, NEVER))).toBe(String(codes.indexOf('none')));
    });

    it('changes key and content in one step, and frees the old key', async () => {
      const made = await create('alice', 'one');
      const change = { bytes: bytesOf('two'), key: 'bob', expected: made.revision };
      const after = await store.replace(ACCOUNTS, made.id, change, NEVER);
      expect(after).toMatchObject({ id: made.id, key: 'bob' });
      expect(await store.get(ACCOUNTS, 'alice', NEVER)).toBeUndefined();
      expect(textOf(await store.get(ACCOUNTS, 'bob', NEVER))).toBe('two');
      await create('alice', 'other');
    });

    it('does not change to a key that another has, and takes its own for no change', async () => {
      const made = await create('alice', 'one');
      await create('bob');
      const taken = { bytes: bytesOf('x'), key: 'bob', expected: made.revision };
      expect(await codeOf(store.replace(ACCOUNTS, made.id, taken, NEVER))).toBe('document-exists');
      expect(textOf(await store.get(ACCOUNTS, 'alice', NEVER))).toBe('one');
      expect(textOf(await store.get(ACCOUNTS, 'bob', NEVER))).toBe('bob');
      const own = { bytes: bytesOf('two'), key: 'alice', expected: made.revision };
      expect(textOf(await store.replace(ACCOUNTS, made.id, own, NEVER))).toBe('two');
    });

    it('lets one win of those who move to a key and those who make it', async () => {
      const others = await Promise.all(['a', 'b', 'c'].map((key) => create(key)));
      const moves = others.map(({ id, revision: expected }) =>
        codeOf(store.replace(ACCOUNTS, id, { bytes: bytesOf('moved'), key: 'x', expected }, NEVER)),
      );
      const codes = await Promise.all([...moves, codeOf(create('x'))]);
      expect(codes.filter((code) => code === 'none')).toHaveLength(1);
      expect(codes.filter((code) => code === 'document-exists')).toHaveLength(3);
      expect(await listAll(store, ACCOUNTS, { prefix: 'x', limit: 10 })).toHaveLength(1);
    });

    it('removes the revision that is expected, or any', async () => {
      const made = await create('alice');
      expect(await codeOf(store.remove(ACCOUNTS, made.id, newId<VersionId>(), NEVER))).toBe('precondition-failed');
      expect(await store.find(ACCOUNTS, made.id, NEVER)).toBeDefined();
      await store.remove(ACCOUNTS, made.id, undefined, NEVER);
      expect(await codeOf(store.remove(ACCOUNTS, made.id, undefined, NEVER))).toBe('document-not-found');
      const change = { bytes: bytesOf('x'), expected: made.revision };
      expect(await codeOf(store.replace(ACCOUNTS, made.id, change, NEVER))).toBe('document-not-found');
    });

    it('lists in the order of the bytes of the keys, page by page, with the content', async () => {
      const keys = ['b', 'a', 'a!', 'aa', 'Z', 'ä', '\u{1F600}', '\uFFFD', 'a/1', 'a/2'];
      for (const key of keys) await create(key, `content of ${key}`);
      const sorted = keys.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
      for (const limit of [1, 3, 5, 100]) {
        const all = await listAll(store, ACCOUNTS, { prefix: '', limit });
        expect(all.map(({ key }) => key)).toEqual(sorted);
        expect(all.map(textOf)).toEqual(sorted.map((key) => `content of ${key}`));
      }
      const some = await listAll(store, ACCOUNTS, { prefix: 'a/', limit: 1 });
      expect(some.map(({ key }) => key)).toEqual(['a/1', 'a/2']);
      expect(await store.list(ACCOUNTS, { prefix: 'nothing', limit: 5 }, NEVER)).toEqual({ documents: [] });
    });

    it('takes an id that was given out before, and tells whose it is', async () => {
      const id = newId<FileId>();
      expect(await store.collectionOf(id, NEVER)).toBeUndefined();
      expect(await store.findAnywhere(id, NEVER)).toBeUndefined();
      const drive = `drive:${newId<FileId>()}`;
      const made = await store.place(drive, { id, key: 'n/a', bytes: bytesOf('node') }, NEVER);
      expect(made.id).toBe(id);
      expect(textOf(await store.find(drive, id, NEVER))).toBe('node');
      expect(await store.collectionOf(id, NEVER)).toBe(drive);
      expect(await store.findAnywhere(id, NEVER)).toEqual({ collection: drive, document: made });
      const other = await create('alice');
      expect(await store.collectionOf(other.id, NEVER)).toBe(ACCOUNTS);
      expect(await store.findAnywhere(other.id, NEVER)).toMatchObject({ collection: ACCOUNTS, document: { key: 'alice' } });
      const taken = { id: newId<FileId>(), key: 'n/a', bytes: bytesOf('other') };
      expect(await codeOf(store.place(drive, taken, NEVER))).toBe('document-exists');
      expect(await store.find(drive, taken.id, NEVER)).toBeUndefined();
    });

    it('lists heads as it lists documents, with sizes and times', async () => {
      const before = Date.now();
      for (const key of ['b', 'a/1', 'a/2']) await create(key, key);
      const { heads, nextCursor } = await store.heads(ACCOUNTS, { prefix: '', limit: 2 }, NEVER);
      expect(heads.map(({ key, size }) => [key, size])).toEqual([
        ['a/1', 3],
        ['a/2', 3],
      ]);
      for (const { updatedAt } of heads) expect(updatedAt).toBeGreaterThanOrEqual(before);
      const rest = await store.heads(ACCOUNTS, { prefix: '', limit: 2, cursor: nextCursor! }, NEVER);
      expect(rest.heads.map(({ key }) => key)).toEqual(['b']);
      expect(rest.nextCursor).toBeUndefined();
      const [first] = (await store.list(ACCOUNTS, { prefix: 'a/1', limit: 1 }, NEVER)).documents;
      expect(heads[0]).toMatchObject({ id: first!.id, revision: first!.revision });
    });

    it('goes on behind the cursor although its document is gone', async () => {
      const made = [];
      for (const key of ['a', 'b', 'c']) made.push(await create(key));
      const { nextCursor } = await store.list(ACCOUNTS, { prefix: '', limit: 2 }, NEVER);
      await store.remove(ACCOUNTS, made[1]!.id, undefined, NEVER);
      const rest = await store.list(ACCOUNTS, { prefix: '', limit: 2, cursor: nextCursor! }, NEVER);
      expect(rest.documents.map(({ key }) => key)).toEqual(['c']);
      expect(rest.nextCursor).toBeUndefined();
    });

    it('takes the longest key and the largest document, an empty one, and refuses more', async () => {
      const key = 'ä'.repeat(512);
      const bytes = new Uint8Array(DOCUMENT_BYTES_MAX).fill(7);
      const made = await store.create(ACCOUNTS, key, bytes, NEVER);
      expect(Buffer.compare((await store.get(ACCOUNTS, key, NEVER))!.bytes, bytes)).toBe(0);
      expect((await create('empty', '')).bytes).toHaveLength(0);
      expect((await store.get(ACCOUNTS, 'empty', NEVER))!.bytes).toHaveLength(0);
      const hostile = ['', `${key}x`, 'a\0b', 'line\n', '\uD800'];
      for (const bad of hostile) expect(await codeOf(create(bad))).toBe('ERR_ASSERTION');
      const large = new Uint8Array(DOCUMENT_BYTES_MAX + 1);
      expect(await codeOf(store.create(ACCOUNTS, 'large', large, NEVER))).toBe('ERR_ASSERTION');
      const change = { bytes: large, expected: made.revision };
      expect(await codeOf(store.replace(ACCOUNTS, made.id, change, NEVER))).toBe('ERR_ASSERTION');
      for (const bad of ['', 'Accounts', 'a:b', 'a b', 'a'.repeat(33), '-'])
        expect(await codeOf(create('x', 'x', bad))).toBe('ERR_ASSERTION');
    });

    it.each([0, 1, 4096, 16_000, 17_000, 65_000, 300_000])('gives back what it was given: %d bytes', async (length) => {
      const [first, second] = [1, 2].map((fill) => new Uint8Array(length).fill(fill)) as [Uint8Array, Uint8Array];
      const made = await store.create(ACCOUNTS, 'alice', first, NEVER);
      expect(Buffer.compare(made.bytes, new Uint8Array(length).fill(1))).toBe(0);
      const changed = await store.replace(ACCOUNTS, made.id, { bytes: second, expected: made.revision }, NEVER);
      expect(Buffer.compare(changed.bytes, new Uint8Array(length).fill(2))).toBe(0);
      expect([first.length, second.length]).toEqual([length, length]);
    });

    it('gives bytes that are the caller’s, and keeps none of his', async () => {
      const bytes = bytesOf('content');
      const made = await store.create(ACCOUNTS, 'alice', bytes, NEVER);
      bytes.fill(0);
      made.bytes.fill(0);
      (await store.get(ACCOUNTS, 'alice', NEVER))!.bytes.fill(0);
      expect(textOf(await store.get(ACCOUNTS, 'alice', NEVER))).toBe('content');
    });

    it('does nothing when the signal is aborted', async () => {
      const made = await create('alice');
      const gone = AbortSignal.abort(new Error('gone'));
      const calls = [
        () => store.create(ACCOUNTS, 'bob', bytesOf('x'), gone),
        () => store.get(ACCOUNTS, 'alice', gone),
        () => store.find(ACCOUNTS, made.id, gone),
        () => store.replace(ACCOUNTS, made.id, { bytes: bytesOf('x'), expected: made.revision }, gone),
        () => store.remove(ACCOUNTS, made.id, undefined, gone),
        () => store.list(ACCOUNTS, { prefix: '', limit: 1 }, gone),
      ];
      for (const call of calls) await expect(call()).rejects.toThrow('gone');
      expect(textOf(await store.get(ACCOUNTS, 'alice', NEVER))).toBe('alice');
      expect(await store.get(ACCOUNTS, 'bob', NEVER)).toBeUndefined();
    });
  });
}
