import { expect, it } from '@jest/globals';
import { passwordKey, wrapMasterKey } from '../../src/sdk/account-keys.js';
import { concat, randomBytes } from '../../src/sdk/bytes.js';
import { makeGrant } from '../../src/sdk/grant.js';
import { sealSeeds } from '../../src/sdk/identity.js';
import { linkProof, makeLink } from '../../src/sdk/link.js';
import { Pins } from '../../src/sdk/pins.js';
import { sealResumeState } from '../../src/sdk/resume-state.js';
import { addContent, addNode, addRoot, attributesOf, newPerson, newUuid } from '../support/e2ee-world.js';

const NAME = 'Kündigung Müller.pdf';
const TEXT = 'Sehr geehrte Damen und Herren, hiermit teile ich Ihnen mit';

// Stands on every seal: taken out for the names in src/sdk/drive-record.ts. The whole store is searched in the end-to-end tests.
it('attack 18: neither plaintext nor key is in anything that leaves the client', async () => {
  const [alice, bob] = [await newPerson('alice'), await newPerson('bob')];
  const root = await addRoot(alice);
  const file = await addNode(alice, root.record, attributesOf(NAME, 'file'));
  const { cipher, content, sealed, manifest } = await addContent(alice, file.record, Buffer.from(TEXT.repeat(50)));
  const nodeKey = file.record.keys.current;
  const [linkId, secret, exportKey] = [newUuid(), randomBytes(32), randomBytes(64)];
  const given = { nodeId: file.record.nodeId, kind: 'file', generation: 1, nodeKey } as const;
  const pins = new Pins();
  pins.meet([bob.bundle], { userName: 'bob' });
  const source = { size: content.trueSize, modifiedAtMs: 1, fingerprint: randomBytes(32) };
  const state = { ...cipher.ids, uploadId: newUuid(), contentKey: cipher.contentKey, source, plan: content.plan };
  const kek = await passwordKey(exportKey, alice.identity.accountId);
  const sent = concat(
    alice.bundleBytes,
    await wrapMasterKey(alice.master, 'password', kek),
    await sealSeeds(alice.master, alice.seeds, 1),
    (await pins.seal(alice.master)).bytes,
    root.bytes,
    file.bytes,
    manifest,
    ...sealed.map(({ bytes }) => bytes),
    await makeGrant({ ...given, grantId: newUuid(), rights: 'read' }, alice.identity, bob.bundle),
    await makeLink({ ...given, linkId, secret, owner: alice.owner }),
    await linkProof(secret, linkId),
    await sealResumeState(alice.master, { ...state, sealedParts: new Map(sealed.entries()) }),
  );
  const secrets = {
    name: Buffer.from(NAME),
    'media type': Buffer.from('text/plain'),
    text: Buffer.from(TEXT),
    'master key': alice.master.key,
    'signing seed': alice.seeds.signing,
    'sealing seed': alice.seeds.sealing,
    'root key': root.record.keys.current,
    'node key': nodeKey,
    'content key': cipher.contentKey,
    'link secret': secret,
    'export key': exportKey,
    'password key': kek,
  };
  // The control: what is there is found, in the middle of it and at its end.
  expect(found(sent, { 'user name': Buffer.from('alice'), 'last bytes': sent.subarray(-20) })).toEqual([
    'user name',
    'last bytes',
  ]);
  for (const [name, bytes] of Object.entries(secrets)) expect(found(concat(sent, bytes), { [name]: bytes })).toEqual([name]);
  expect(found(sent, secrets)).toEqual([]);
});

function found(haystack: Uint8Array, needles: Readonly<Record<string, Uint8Array>>): readonly string[] {
  return Object.entries(needles)
    .filter(([, bytes]) => Buffer.from(haystack).includes(bytes))
    .map(([name]) => name);
}
