import { describe, expect, it } from '@jest/globals';
import { concat } from '../../src/sdk/bytes.js';
import { nameTag } from '../../src/sdk/drive-name.js';
import { decodeAttributes, encodeAttributes, encodeKind } from '../../src/sdk/drive-attributes.js';
import { NodeKeys } from '../../src/sdk/drive-keys.js';
import { makeNodeRecord, openNodeRecord, type NodeDraft, type NodeRecord } from '../../src/sdk/drive-record.js';
import { FieldWriter } from '../../src/sdk/fields.js';
import { seal } from '../../src/sdk/seal.js';
import { signed } from '../../src/sdk/signature.js';
import { assertSucceeds } from '../../src/sdk/succession.js';
import { makeWritersList, openWritersList, writeWriter, type WriterEntry } from '../../src/sdk/writers.js';
import {
  NO_HASH,
  addNode,
  addRoot,
  attributesOf,
  failureOf,
  flipped,
  newPerson,
  newUuid,
  reopen,
  spliced,
  writersOf,
  type Person,
  type StoredNode,
} from '../support/e2ee-world.js';

const NODE_ID_AT = 1;
const PARENT_ID_AT = 17;
const KIND_AT = 33;

async function newTree(): Promise<{ alice: Person; mallory: Person; root: StoredNode; folder: StoredNode; file: StoredNode }> {
  const [alice, mallory] = [await newPerson('alice'), await newPerson('mallory')];
  const root = await addRoot(alice);
  const folder = await addNode(alice, root.record, attributesOf('Briefe', 'folder'));
  const file = await addNode(alice, root.record, attributesOf('Brief.txt', 'file'));
  return { alice, mallory, root, folder, file };
}

describe('attack 11: names swapped in a folder', () => {
  // Stands on `assertExpected`: a record answers only for the node that was asked for.
  it('a record does not answer for another node of the same folder', async () => {
    const { alice, root, file } = await newTree();
    const other = await addNode(alice, root.record, attributesOf('Rechnung.txt', 'file'));
    expect((await reopen(file, file.bytes, writersOf(alice))).attributes.name).toBe('Brief.txt');
    expect(await failureOf(reopen(file, other.bytes, writersOf(alice)))).toBe('damaged');
    const renumbered = spliced(other.bytes, NODE_ID_AT, file.bytes.subarray(NODE_ID_AT, NODE_ID_AT + 16));
    expect(await failureOf(reopen(file, renumbered, writersOf(alice)))).toBe('damaged');
  });

  // Stands on `normalName`: both spellings have one tag, so that the server refuses the second one.
  it('two spellings of one name are one name', async () => {
    const key = new Uint8Array(32).fill(7);
    expect(await nameTag(key, 'Ångström')).toEqual(await nameTag(key, 'A\u030angstro\u0308m'));
    expect(await nameTag(key, 'a')).not.toEqual(await nameTag(key, 'b'));
    expect(await nameTag(new Uint8Array(32).fill(8), 'a')).not.toEqual(await nameTag(key, 'a'));
  });

  // Stands on `assertTag`: whoever may write cannot make two files of one name stand beside each other.
  it('a tag that is not the name’s is refused, even from a writer', async () => {
    const { alice, file } = await newTree();
    const bytes = await craftRecord(alice, file, { name: 'Brief.txt', taggedAs: 'other' });
    expect(await failureOf(reopen(file, bytes, writersOf(alice)))).toBe('damaged');
    const honest = await craftRecord(alice, file, { name: 'Brief.txt', taggedAs: 'Brief.txt' });
    expect((await reopen(file, honest, writersOf(alice))).attributes.name).toBe('Brief.txt');
  });
});

describe('attack 12: a node elsewhere, or as something else', () => {
  // Stands on the parent in `assertExpected`.
  it('does not open in another folder, even for who has its key', async () => {
    const { alice, folder, file } = await newTree();
    const access = { nodeKey: file.record.keys.current, generation: 1 };
    const { nodeId } = file.record;
    const writers = writersOf(alice);
    expect((await openNodeRecord(file.bytes, access, { nodeId, parentId: file.parentId, writers })).nodeId).toBe(nodeId);
    const elsewhere = { nodeId, parentId: folder.record.nodeId, writers };
    expect(await failureOf(openNodeRecord(file.bytes, access, elsewhere))).toBe('damaged');
    const moved = spliced(file.bytes, PARENT_ID_AT, folder.bytes.subarray(NODE_ID_AT, NODE_ID_AT + 16));
    expect(await failureOf(openNodeRecord(moved, access, elsewhere))).toBe('damaged');
  });

  // Stands on the signature, the context of the seals and the kind among the attributes: all three are taken out.
  it('a file does not pass for a folder', async () => {
    const { alice, file } = await newTree();
    expect(file.bytes[KIND_AT]).toBe(2);
    expect(await failureOf(reopen(file, spliced(file.bytes, KIND_AT, Uint8Array.of(1)), writersOf(alice)))).toBe('damaged');
  });
});

// Stands on the signature of the writer (src/sdk/drive-record.ts): a reader has the keys, and the server every byte.
it('attack 13: nobody else’s file or folder appears', async () => {
  const { alice, mallory, root } = await newTree();
  const draft = { nodeId: newUuid(), parentId: root.record.nodeId, revision: 1, previousHash: NO_HASH, keys: NodeKeys.fresh() };
  const injected = { ...draft, attributes: attributesOf('Virus.exe', 'file'), writer: alice.writer };
  const bytes = await makeNodeRecord(injected, root.record.keys, mallory.identity.signer);
  const expected = { nodeId: draft.nodeId, parentId: draft.parentId, writers: writersOf(alice) };
  expect(await failureOf(openNodeRecord(bytes, { parentKeys: root.record.keys }, expected))).toBe('damaged');
});

describe('attack 14: writing with a reader’s rights', () => {
  const entryOf = (person: Person, given: Partial<WriterEntry> = {}): WriterEntry => ({
    ...person.writer,
    verifyKey: person.bundle.verifyKey,
    fromRevision: 1,
    ...given,
  });

  // Stands on `Writers.keyOf` and on the revisions of an entry (src/sdk/writers.ts).
  it('counts only while the owner’s list says so', async () => {
    const { alice, mallory: bob, root } = await newTree();
    const listId = root.record.nodeId;
    const draftOf = (revision: number): NodeDraft => ({
      nodeId: newUuid(),
      parentId: listId,
      revision: 1,
      previousHash: NO_HASH,
      keys: NodeKeys.fresh(),
      attributes: attributesOf('neu.txt', 'file'),
      writer: { ...bob.writer, list: { nodeId: listId, revision } },
    });
    const attempt = async (draft: NodeDraft, entries: readonly WriterEntry[], revision: number): Promise<string | undefined> => {
      const bytes = await makeNodeRecord(draft, root.record.keys, bob.identity.signer);
      const list = await makeWritersList({ nodeId: listId, revision, previousHash: NO_HASH, entries }, alice.identity);
      const writers = writersOf(alice, await openWritersList(list, { nodeId: listId, owner: alice.owner }));
      const expected = { nodeId: draft.nodeId, parentId: listId, writers };
      return failureOf(openNodeRecord(bytes, { parentKeys: root.record.keys }, expected));
    };
    expect(await attempt(draftOf(1), [entryOf(bob)], 1)).toBeUndefined();
    expect(await attempt(draftOf(1), [], 1)).toBe('not-yours'); // a reader: no entry
    expect(await attempt(draftOf(1), [entryOf(bob, { toRevision: 1 })], 2)).toBeUndefined(); // written while it could
    expect(await attempt(draftOf(2), [entryOf(bob, { toRevision: 1 })], 2)).toBe('not-yours'); // revoked
    expect(await attempt(draftOf(3), [entryOf(bob)], 2)).toBe('not-yours'); // by a list that nobody has seen
    expect(await attempt({ ...draftOf(1), writer: bob.writer }, [entryOf(bob)], 1)).toBe('not-yours'); // as if it were the owner
  });

  // Stands on `isByOlderList` (src/sdk/succession.ts): what is signed as of before the removal opens, for it may be from then.
  it('is not dated back behind what was written since', async () => {
    const { alice, mallory: bob, root } = await newTree();
    const carol = await newPerson('carol');
    const nodeId = root.record.nodeId;
    const entries = [entryOf(bob, { toRevision: 1 }), entryOf(carol)];
    const writers = writersOf(alice, { nodeId, revision: 2, previousHash: NO_HASH, entries });
    const file = await addNode(alice, root.record, attributesOf('a.txt', 'file'));
    const write = async (by: Person, list: number, before: NodeRecord): Promise<NodeRecord> => {
      const writer = { ...by.writer, list: { nodeId, revision: list } };
      const draft = { ...before, revision: before.revision + 1, previousHash: before.hash, writer };
      return reopen(file, await makeNodeRecord(draft, root.record.keys, by.identity.signer), writers);
    };
    for (const since of [carol, alice]) {
      const seen = await write(since, 2, file.record);
      assertSucceeds(file.record, seen);
      assertSucceeds(seen, await write(carol, 2, seen));
      const datedBack = await write(bob, 1, seen);
      expect(await failureOf(() => assertSucceeds(seen, datedBack))).toBe('rolled-back');
    }
  });

  // Stands on the account of an entry: a key of a writer counts for that writer only.
  it('counts for its own account and no other', async () => {
    const { alice, mallory: bob } = await newTree();
    const nodeId = newUuid();
    const writers = writersOf(alice, { nodeId, revision: 1, previousHash: NO_HASH, entries: [entryOf(bob)] });
    const list = { nodeId, revision: 1 };
    expect(writers.keyOf({ ...bob.writer, list })).toEqual(bob.bundle.verifyKey);
    expect(await failureOf(() => writers.keyOf({ accountId: newUuid(), bundleVersion: 1, list }))).toBe('not-yours');
  });

  // Stands on the owner's signature of the list.
  it('a list that the owner did not sign names nobody', async () => {
    const { alice, mallory, root } = await newTree();
    const { nodeId } = root.record;
    const list = { nodeId, revision: 1, previousHash: NO_HASH, entries: [entryOf(mallory)] };
    const own = await makeWritersList(list, mallory.identity);
    expect(await failureOf(openWritersList(own, { nodeId, owner: alice.owner }))).toBe('not-yours');
    const inHerName = await makeWritersList(list, { ...mallory.identity, accountId: alice.identity.accountId });
    expect(await failureOf(openWritersList(inHerName, { nodeId, owner: alice.owner }))).toBe('damaged');
    const honest = await makeWritersList(list, alice.identity);
    expect(await failureOf(openWritersList(honest, { nodeId: newUuid(), owner: alice.owner }))).toBe('damaged');
  });
});

// Stands on the comparison of the kind that is seen with the one that is sealed, and on what is shown being only what was sealed.
it('attack 22: nothing is shown that was not sealed', async () => {
  const { alice, file } = await newTree();
  const bytes = await craftRecord(alice, file, { name: 'Brief.txt', taggedAs: 'Brief.txt', shownAs: 'folder' });
  expect(await failureOf(reopen(file, bytes, writersOf(alice)))).toBe('damaged');
  const opened = await reopen(file, file.bytes, writersOf(alice));
  expect(opened.attributes).toEqual(attributesOf('Brief.txt', 'file'));
});

// Stands on `isPresentable` (src/sdk/drive-attributes.ts): a writer's client may seal what it likes.
it('attack 22: what nobody could show is not shown', () => {
  const encode = (createdAt: number, mediaType: string): Uint8Array => {
    const fields = new FieldWriter().u8(1).text('a').u8(2).u64(createdAt).u64(0).text(mediaType).finish();
    return concat(fields, new Uint8Array(64 * Math.ceil(fields.length / 64) - fields.length));
  };
  expect(decodeAttributes(encode(8.64e15, 'text/plain; charset=utf-8')).createdAt).toBe(8.64e15);
  for (const [time, type] of [
    [8.64e15 + 1, ''],
    [0, 'a'.repeat(256)],
    [0, 'text/html\r\nx: y'],
    [0, 'te\u202ext'],
  ] as const)
    expect(() => decodeAttributes(encode(time, type))).toThrow(expect.objectContaining({ kind: 'damaged' }));
});

it('attack 7: no bit of a record can be turned', async () => {
  const { alice, file } = await newTree();
  for (let at = 0; at < file.bytes.length; at += 1)
    expect(await failureOf(reopen(file, flipped(file.bytes, at, at % 8), writersOf(alice)))).toBeDefined();
});

/** A record as a writer with a changed client makes it. */
async function craftRecord(
  writer: Person,
  { record, parentKeys }: StoredNode,
  { name, taggedAs, shownAs = 'file' }: { name: string; taggedAs: string; shownAs?: 'file' | 'folder' },
): Promise<Uint8Array> {
  const { nodeId, parentId, keys } = record;
  const head = new FieldWriter().u8(1).id(nodeId).id(parentId).u8(encodeKind(shownAs)).u32(1).u32(1).u32(1).fixed(NO_HASH);
  writeWriter(head, writer.writer);
  const fields = [nodeId, parentId, shownAs, 1, 1, 1];
  head.fixed(await nameTag(parentKeys.current, taggedAs));
  head.bytes(await seal(parentKeys.current, keys.current, { purpose: 'node-key', fields })).bytes(new Uint8Array(0));
  const attributes = encodeAttributes(attributesOf(name, 'file'));
  head.bytes(await seal(keys.current, attributes, { purpose: 'attributes', fields }));
  return signed('dcloud/e2ee/v1/node', head.finish(), writer.identity.signer);
}
