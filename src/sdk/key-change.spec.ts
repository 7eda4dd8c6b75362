import { describe, expect, it } from '@jest/globals';
import {
  addContent,
  addNode,
  addRoot,
  attributesOf,
  failureOf,
  newPerson,
  newUuid,
  reopen,
  writersOf,
} from '../../test/support/e2ee-world.js';
import { openForSelf, passwordKey, recoveryKey, unwrapMasterKey } from './account-keys.js';
import { randomBytes } from './bytes.js';
import { NodeKeys } from './drive-keys.js';
import { makeNodeRecord, openNodeRecord } from './drive-record.js';
import { assertOwnBundle, followBundles } from './identity-bundle.js';
import { identityOf, openSeeds } from './identity.js';
import { changeIdentity, changeMasterKey, changePassword, changeRecoveryCode, rootParentKeys } from './key-change.js';
import { Pins } from './pins.js';
import { formatRecoveryCode, parseRecoveryCode } from './recovery-code.js';
import { openManifest } from './revision-manifest.js';
import { Writers } from './writers.js';

describe('a change of keys', () => {
  it('password and recovery code: each new one opens the same master key, the old one does not open the new wrap', async () => {
    const { master } = await newPerson('alice');
    const [oldExport, newExport] = [randomBytes(64), randomBytes(64)];
    const wrapped = await changePassword(master, newExport);
    const key = await passwordKey(newExport, master.accountId);
    expect(await unwrapMasterKey(wrapped, master, 'password', key)).toEqual(master);
    const oldKey = await passwordKey(oldExport, master.accountId);
    expect(await failureOf(unwrapMasterKey(wrapped, master, 'password', oldKey))).toBe('wrong-key');
    const recovery = await changeRecoveryCode(master);
    const typed = parseRecoveryCode(formatRecoveryCode(recovery.code));
    expect(await unwrapMasterKey(recovery.wrapped, master, 'recovery', await recoveryKey(typed, master.accountId))).toEqual(
      master,
    );
  });

  it('identity: the old keys vouch for the new ones, and what the old ones signed stays readable', async () => {
    const alice = await newPerson('alice');
    const root = await addRoot(alice);
    const { bundle, sealedSeeds } = await changeIdentity(alice.master, alice);
    const chain = await followBundles(alice.bundle, [bundle]);
    const newest = chain[1]!;
    const seeds = await openSeeds(alice.master, sealedSeeds, 2);
    const identity = await identityOf(seeds, { accountId: alice.master.accountId, version: 2 });
    assertOwnBundle(newest, identity);
    const owner = {
      accountId: alice.master.accountId,
      verifyKeys: new Map(chain.map(({ version, verifyKey }) => [version, verifyKey])),
    };
    const writers = new Writers(owner);
    expect((await reopen(root, root.bytes, writers)).attributes.name).toBe('Drive');
    const draft = { ...root.record, revision: 2, previousHash: root.record.hash, writer: { ...alice.writer, bundleVersion: 2 } };
    const bytes = await makeNodeRecord(draft, root.parentKeys, identity.signer);
    expect((await reopen(root, bytes, writers)).revision).toBe(2);
  });

  it('master key: everything stays readable, no content changes, and the old key opens nothing of the new', async () => {
    const alice = await newPerson('alice');
    const root = await addRoot(alice);
    const file = await addNode(alice, root.record, attributesOf('a.txt', 'file'));
    const stored = await addContent(alice, file.record, randomBytes(1_000));
    const [pins, settings] = [new Pins(), { bytes: Uint8Array.of(7), revision: 4 }];
    pins.meet([(await newPerson('bob')).bundle], { userName: 'bob' });
    const next = await changeMasterKey(alice.master, { ...alice, root: root.record, pins, settings });
    expect(next.master.generation).toBe(2);
    expect(await openSeeds(next.master, next.sealedSeeds, 1)).toEqual(alice.seeds);
    expect((await openForSelf(next.master, 'settings', next.settings))[0]).toBe(7);
    await Pins.open(next.master, next.contacts.bytes, next.contacts.revision);

    const expected = { nodeId: root.record.nodeId, parentId: root.parentId, writers: writersOf(alice) };
    const newRoot = await openNodeRecord(next.root, { parentKeys: await rootParentKeys(next.master) }, expected);
    expect(newRoot.keys.generation).toBe(2);
    const child = { nodeId: file.record.nodeId, parentId: root.record.nodeId, writers: writersOf(alice) };
    const sameFile = await openNodeRecord(file.bytes, { parentKeys: newRoot.keys }, child);
    const manifest = await openManifest(stored.manifest, sameFile.keys, child);
    expect(manifest.contentKey).toEqual(stored.cipher.contentKey);

    const byOldKey = { parentKeys: await rootParentKeys(alice.master) };
    expect(await failureOf(openNodeRecord(next.root, byOldKey, expected))).toBe('damaged');
    expect(await failureOf(openSeeds(alice.master, next.sealedSeeds, 1))).toBe('damaged');
  });

  it('a node: moved and renamed it keeps its keys, and its content', async () => {
    const alice = await newPerson('alice');
    const root = await addRoot(alice);
    const folder = await addNode(alice, root.record, attributesOf('Ordner', 'folder'));
    const file = await addNode(alice, root.record, attributesOf('a.txt', 'file'));
    const { hash, revision } = file.record;
    const moved = { ...file.record, parentId: folder.record.nodeId, revision: revision + 1, previousHash: hash };
    const draft = { ...moved, attributes: { ...file.record.attributes, name: 'b.txt' }, writer: alice.writer };
    const bytes = await makeNodeRecord(draft, folder.record.keys, alice.identity.signer);
    const expected = { nodeId: moved.nodeId, parentId: moved.parentId, writers: writersOf(alice) };
    const opened = await openNodeRecord(bytes, { parentKeys: folder.record.keys }, expected);
    expect(opened.keys.current).toEqual(file.record.keys.current);
    expect(opened.attributes.name).toBe('b.txt');
  });

  it('keys of earlier generations are given to who has the newest, and to nobody else', async () => {
    const keys = NodeKeys.fresh().next().next();
    const nodeId = newUuid();
    const sealed = await keys.sealFormer(nodeId);
    const opened = await NodeKeys.open(keys.current, { nodeId, generation: 3 }, sealed);
    expect([1, 2, 3].map((generation) => opened.at(generation))).toEqual([1, 2, 3].map((generation) => keys.at(generation)));
    expect(await failureOf(() => opened.at(4))).toBe('damaged');
    expect(await failureOf(NodeKeys.open(keys.at(2), { nodeId, generation: 3 }, sealed))).toBe('damaged');
    expect(await failureOf(NodeKeys.open(keys.current, { nodeId, generation: 2 }, sealed))).toBe('damaged');
  });
});
