import { describe, expect, it } from '@jest/globals';
import { concat, randomBytes, toBase64Url, type Bytes } from '../../src/sdk/bytes.js';
import { openNodeRecord } from '../../src/sdk/drive-record.js';
import { makeGrant, openGrant, type GrantDraft } from '../../src/sdk/grant.js';
import { formatLink, newLinkSecret, parseLink } from '../../src/sdk/link-url.js';
import { linkProof, makeLink, openLink } from '../../src/sdk/link.js';
import {
  addNode,
  addRoot,
  attributesOf,
  failureOf,
  flipped,
  newPerson,
  newUuid,
  openLinkWith,
  writersOf,
  type Person,
  type StoredNode,
} from '../support/e2ee-world.js';

/** Behind version, two ids and the kind comes the generation, then the rights. */
const RIGHTS_AT = 1 + 32 + 1 + 4;

async function newShare(): Promise<{
  alice: Person;
  bob: Person;
  mallory: Person;
  folder: StoredNode;
  draft: GrantDraft;
  grant: Bytes;
}> {
  const [alice, bob, mallory] = [await newPerson('alice'), await newPerson('bob'), await newPerson('mallory')];
  const folder = await addNode(alice, (await addRoot(alice)).record, attributesOf('Geteiltes', 'folder'));
  const { nodeId, keys } = folder.record;
  const draft = { grantId: newUuid(), nodeId, kind: 'folder', generation: 1, rights: 'read', nodeKey: keys.current } as const;
  return { alice, bob, mallory, folder, draft, grant: await makeGrant(draft, alice.identity, bob.bundle) };
}

const expectationOf = (recipient: Person, owner: Person): Parameters<typeof openGrant>[1] => ({
  recipient: recipient.identity,
  recipientBundle: recipient.bundle.hash,
  owner: owner.owner,
});

describe('attack 16: a grant redirected, upgraded or forged', () => {
  it('opens for whom it is, and gives the key that opens the folder', async () => {
    const { alice, bob, folder, grant } = await newShare();
    const { nodeKey, generation, rights, nodeId } = await openGrant(grant, expectationOf(bob, alice));
    expect(rights).toBe('read');
    const record = await openNodeRecord(folder.bytes, { nodeKey, generation }, { nodeId, writers: writersOf(alice) });
    expect(record.attributes.name).toBe('Geteiltes');
  });

  // Stands on the recipient's id and bundle in the grant (src/sdk/grant.ts, `isForUs`).
  it('is not for anybody else', async () => {
    const { alice, mallory, bob, grant } = await newShare();
    expect(await failureOf(openGrant(grant, expectationOf(mallory, alice)))).toBe('not-yours');
    const otherBundle = { ...expectationOf(bob, alice), recipientBundle: mallory.bundle.hash };
    expect(await failureOf(openGrant(grant, otherBundle))).toBe('not-yours');
  });

  // Stands on the signature and on the head in HPKE's `info`: both are taken out.
  it('does not become a right to write, and no other bit of it can be turned', async () => {
    const { alice, bob, grant } = await newShare();
    const upgraded = Uint8Array.from(grant);
    upgraded[RIGHTS_AT] = 2;
    expect(await failureOf(openGrant(upgraded, expectationOf(bob, alice)))).toBe('damaged');
    for (let at = 0; at < grant.length; at += 3)
      expect(await failureOf(openGrant(flipped(grant, at, at % 8), expectationOf(bob, alice)))).toBeDefined();
  });

  // Stands on the granter's signature, checked with the pinned key.
  it('is not made in the owner’s name by somebody else', async () => {
    const { alice, bob, mallory, draft } = await newShare();
    const inHerName = { ...mallory.identity, accountId: alice.identity.accountId };
    const forged = await makeGrant({ ...draft, nodeKey: randomBytes(32) }, inHerName, bob.bundle);
    expect(await failureOf(openGrant(forged, expectationOf(bob, alice)))).toBe('damaged');
    const own = await makeGrant(draft, mallory.identity, bob.bundle);
    expect(await failureOf(openGrant(own, expectationOf(bob, alice)))).toBe('not-yours');
  });

  it('a revoked reader’s key opens nothing of the next generation, and the next one all of the old', async () => {
    const { alice, folder, draft } = await newShare();
    const next = folder.record.keys.next();
    const parent = { nodeId: draft.nodeId, keys: next };
    const child = await addNode(alice, parent, attributesOf('neu.txt', 'file'));
    expect(child.record.parentGeneration).toBe(2);
    const writers = writersOf(alice);
    const expected = { nodeId: child.record.nodeId, parentId: draft.nodeId, writers };
    expect(await failureOf(openNodeRecord(child.bytes, { parentKeys: folder.record.keys }, expected))).toBe('damaged');
    const old = await addNode(alice, folder.record, attributesOf('alt.txt', 'file'));
    const oldExpected = { nodeId: old.record.nodeId, parentId: draft.nodeId, writers };
    expect((await openNodeRecord(old.bytes, { parentKeys: next }, oldExpected)).attributes.name).toBe('alt.txt');
  });
});

describe('attack 17: a link pointed elsewhere, or its key received', () => {
  // Stands on the head in the context of the link's seal (src/sdk/link.ts, `contextOf`).
  it('opens only the node that it was made for', async () => {
    const { alice, draft } = await newShare();
    const [linkId, secret] = [newUuid(), newLinkSecret()];
    const bytes = await makeLink({ ...draft, linkId, secret, owner: alice.owner });
    const opened = await openLink(bytes, { linkId, secret });
    expect(opened).toMatchObject({ nodeId: draft.nodeId, nodeKey: draft.nodeKey, owner: alice.owner });
    for (let at = 17; at < 38; at += 1) {
      const elsewhere = flipped(bytes, at);
      expect(await failureOf(openLink(elsewhere, { linkId, secret }))).toBeDefined();
    }
    const other = await makeLink({ ...draft, linkId, secret: newLinkSecret(), owner: alice.owner });
    expect(await failureOf(openLink(other, { linkId, secret }))).toBe('wrong-key');
  });

  // Stands on the purposes of `linkProof` and `linkKey`: what the server is shown is another key.
  it('what the server is shown opens nothing, and the fragment is not in what is sent', async () => {
    const { alice, draft } = await newShare();
    const [linkId, secret] = [newUuid(), newLinkSecret()];
    const bytes = await makeLink({ ...draft, linkId, secret, owner: alice.owner });
    const proof = await linkProof(secret, linkId);
    expect(await failureOf(openLink(bytes, { linkId, secret: proof }))).toBe('wrong-key');
    expect(await failureOf(openLinkWith(proof, bytes))).toBe('damaged');
    const url = new URL(formatLink({ origin: 'https://cloud.example', linkId, secret }));
    expect(`${url.origin}${url.pathname}${url.search}`).toBe(`https://cloud.example/l/${linkId}`);
    expect(parseLink(url.href)).toEqual({ origin: 'https://cloud.example', linkId, secret });
  });

  it('a password is asked for, and a wrong one is told', async () => {
    const { alice, draft } = await newShare();
    const [linkId, secret] = [newUuid(), newLinkSecret()];
    const hash = async (password: Uint8Array, salt: Uint8Array): Promise<Bytes> =>
      new Uint8Array(await crypto.subtle.digest('SHA-256', Buffer.concat([password, salt])));
    const bytes = await makeLink({ ...draft, linkId, secret, owner: alice.owner, protection: { password: 'Ångström', hash } });
    const attempt = (password: string): Promise<unknown> => openLink(bytes, { linkId, secret, protection: { password, hash } });
    expect(await failureOf(attempt('A\u030angstro\u0308m'))).toBeUndefined();
    expect(await failureOf(attempt('angstrom'))).toBe('wrong-key');
    expect(await failureOf(openLink(bytes, { linkId, secret }))).toBe('wrong-key');
  });

  it('what is no link is refused', async () => {
    const good = formatLink({ origin: 'https://cloud.example', linkId: newUuid(), secret: newLinkSecret() });
    const bad = [
      '',
      'x',
      good.replace('https', 'ftp'),
      good.replace('/l/', '/m/'),
      good.slice(0, -1),
      `${good}A`,
      `${good}${'A'.repeat(1_000_000)}`,
      good.replace('#', '?a#'),
    ];
    for (const text of bad) expect(await failureOf(() => parseLink(text))).toBe('invalid-link');
    const later = `${good.split('#')[0] ?? ''}#${toBase64Url(concat(Uint8Array.of(2), newLinkSecret()))}`;
    expect(await failureOf(() => parseLink(later))).toBe('unsupported-format');
  });
});
