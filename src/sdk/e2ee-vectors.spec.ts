import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { openForSelf, passwordKey, recoveryKey, recoveryProof, unwrapMasterKey, type MasterKey } from './account-keys.js';
import { openAccount, unlockMaster } from './account-seal.js';
import { concat, sha256, utf8, type Bytes } from './bytes.js';
import { openPiece, piecesOf } from './content.js';
import { nameTag } from './drive-name.js';
import { NodeKeys } from './drive-keys.js';
import { openNodeRecord } from './drive-record.js';
import { openGrant } from './grant.js';
import { assertOwnBundle, followBundles, openBundle } from './identity-bundle.js';
import { identityOf, openSeeds } from './identity.js';
import { parseLink } from './link-url.js';
import { linkProof, openLink, readLinkHead } from './link.js';
import { PASSWORD_COST } from './password-cost.js';
import { Pins } from './pins.js';
import { parseRecoveryCode } from './recovery-code.js';
import { openResumeState } from './resume-state.js';
import { openManifest } from './revision-manifest.js';
import { safetyNumber } from './safety-number.js';
import { openSeal } from './seal.js';
import { webFloe } from './web-floe-back-end.js';
import { Writers, openWritersList } from './writers.js';

/** What the first version wrote: every later one reads it. The words are those of scripts/e2ee-vectors.ts. */
const DIRECTORY = join(__dirname, '../../test/vectors/e2ee');
const ALICE = '01890a5d-ac96-774b-bcce-b302099a8057';
const BOB = '01890a5d-ac96-774b-bcce-b302099a8058';
const id = (digit: number): string => `01890a5d-ac96-774b-8cce-00000000000${digit}`;
const [FOLDER, FILE, REVISION, LINK, GRANT, UPLOAD] = [1, 2, 3, 4, 5, 6].map(id) as [
  string,
  string,
  string,
  string,
  string,
  string,
];
const TEXT = 'What stands in the file. '.repeat(20);

type Vector = Readonly<Record<string, Bytes>> & {
  readonly text: (name: string) => string;
  readonly all: (name: string) => Bytes[];
};

function vector(format: string): Vector {
  const values = JSON.parse(readFileSync(join(DIRECTORY, `${format}.v1.json`), 'utf8')) as Record<string, string | string[]>;
  const all = (name: string): Bytes[] => [values[name] ?? []].flat().map((hex) => Uint8Array.from(Buffer.from(hex, 'hex')));
  const text = (name: string): string => values[name] as string;
  return new Proxy({}, { get: (_, name: string) => (name === 'text' ? text : name === 'all' ? all : all(name)[0]) }) as Vector;
}

function keysOf([first, second]: Bytes[]): NodeKeys {
  const keys = second === undefined ? [first] : [first, second];
  return Object.assign(Object.create(NodeKeys.prototype) as NodeKeys, { keys });
}

const masterOf = (key: Bytes): MasterKey => ({ accountId: ALICE, generation: 1, key });
const writersBy = (verifyKey: Bytes): Writers => new Writers({ accountId: ALICE, verifyKeys: new Map([[1, verifyKey]]) });

describe('the frozen vectors of version 1', () => {
  it('seal', async () => {
    const { key, sealed, plain } = vector('seal') as Required<Vector>;
    const context = { purpose: 'vector', fields: [FILE, 1, 'file', Uint8Array.of(1, 2)] };
    expect(await openSeal(key!, sealed!, context)).toEqual(plain);
  });

  it('account keys and recovery code', async () => {
    const given = vector('account-keys');
    const master = masterOf(given['masterKey']!);
    const code = parseRecoveryCode(given.text('recoveryCode'));
    expect(
      await unwrapMasterKey(given['byPassword']!, master, 'password', await passwordKey(given['exportKey']!, ALICE)),
    ).toEqual(master);
    expect(await unwrapMasterKey(given['byRecoveryCode']!, master, 'recovery', await recoveryKey(code, ALICE))).toEqual(master);
    expect(await recoveryProof(code, ALICE)).toEqual(given['recoveryProof']);
    expect(await openForSelf(master, 'settings', { bytes: given['settings']!, revision: 3 })).toEqual(utf8('a small secret'));
  });

  it('the account’s sealed keys', async () => {
    const given = vector('account-seal');
    const [sealed, code] = [given['sealed']!, parseRecoveryCode(given.text('recoveryCode'))];
    const master = { accountId: ALICE, generation: 2, key: given['masterKey']! };
    expect(await unlockMaster(sealed, 'password', (id) => passwordKey(given['exportKey']!, id))).toEqual(master);
    expect(await unlockMaster(sealed, 'recovery', (id) => recoveryKey(code, id))).toEqual(master);
    expect(await openAccount(sealed, given['bundle']!, master)).toMatchObject({
      revision: 2,
      identityVersion: 1,
      seeds: { signing: given['signingSeed'] },
      formerMaster: masterOf(given['formerMasterKey']!),
      previousHash: given['previousHash'],
    });
  });

  it('identity, bundles, safety number and pins', async () => {
    const given = vector('identity');
    const master = masterOf(given['masterKey']!);
    const seeds = await openSeeds(master, given['sealedSeeds']!, 1);
    expect(seeds).toEqual({ signing: given['signingSeed'], sealing: given['sealingSeed'] });
    const bundle = await openBundle(given['bundle']!);
    assertOwnBundle(bundle, await identityOf(seeds, { accountId: ALICE, version: 1 }));
    expect((await followBundles(bundle, [given['nextBundle']!])).at(-1)).toMatchObject({ userName: 'alice', version: 2 });
    const other = await openBundle(given['otherBundle']!);
    expect(await safetyNumber(bundle, other)).toBe(given.text('safetyNumber'));
    const pin = { accountId: BOB, userName: 'bøb', version: 1, bundleHash: other.hash, isVerified: true };
    expect((await Pins.open(master, given['pins']!, 1)).get(BOB)).toEqual(pin);
  });

  it('node record and name tag', async () => {
    const given = vector('node-record');
    const [folderKeys, nodeKeys] = [keysOf(given.all('folderKeys')), keysOf(given.all('nodeKeys'))];
    const expected = { nodeId: FILE, parentId: FOLDER, writers: writersBy(given['verifyKey']!) };
    const record = await openNodeRecord(given['record']!, { parentKeys: folderKeys }, expected);
    expect(record).toMatchObject({ revision: 1, generation: 2, parentGeneration: 2, nameTag: given['nameTag'] });
    expect([1, 2].map((at) => record.keys.at(at))).toEqual([1, 2].map((at) => nodeKeys.at(at)));
    const times = { createdAt: 1_700_000_000_000, modifiedAt: 1_700_000_000_001 };
    expect(record.attributes).toEqual({ name: 'Übersicht.txt', kind: 'file', mediaType: 'text/plain', ...times });
    expect(await nameTag(folderKeys.current, 'Übersicht.txt')).toEqual(given['nameTag']);
  });

  it('revision and content', async () => {
    const given = vector('revision');
    const expected = { nodeId: FILE, writers: writersBy(given['verifyKey']!) };
    const manifest = await openManifest(given['manifest']!, keysOf(given.all('nodeKey')), expected);
    expect(manifest).toMatchObject({ revisionId: REVISION, trueSize: TEXT.length, contentKey: given['contentKey'] });
    expect(manifest.parts[0]!.digest).toEqual(await sha256(given['part']!));
    const [piece] = piecesOf(manifest, { from: 0, to: TEXT.length });
    const cipher = { ids: manifest, contentKey: manifest.contentKey, floe: webFloe };
    const sealed = (async function* () {
      yield await Promise.resolve(given['part']!);
    })();
    const opened = concat(...(await Array.fromAsync(openPiece(cipher, manifest, { piece: piece!, sealed }))));
    expect(Buffer.from(opened).toString()).toBe(TEXT);
  });

  it('grant and list of writers', async () => {
    const given = vector('sharing');
    const seeds = { signing: given['recipientSigningSeed']!, sealing: given['recipientSealingSeed']! };
    const recipient = await identityOf(seeds, { accountId: BOB, version: 1 });
    const bundle = await openBundle(given['recipientBundle']!);
    const owner = { accountId: ALICE, verifyKeys: new Map([[1, given['granterKey']!]]) };
    const grant = await openGrant(given['grant']!, { recipient, recipientBundle: bundle.hash, owner });
    expect(grant).toMatchObject({ grantId: GRANT, nodeId: FILE, rights: 'write', generation: 1, nodeKey: given['nodeKey'] });
    const list = await openWritersList(given['writersList']!, { nodeId: FILE, owner });
    const entry = { accountId: BOB, bundleVersion: 1, verifyKey: bundle.verifyKey, fromRevision: 1, toRevision: 2 };
    expect(list).toMatchObject({ revision: 2, entries: [entry] });
  });

  it('links', async () => {
    const given = vector('link');
    const { linkId, secret } = parseLink(given.text('url'));
    expect(linkId).toBe(LINK);
    expect(await linkProof(secret, linkId)).toEqual(given['proof']);
    const owner = { accountId: ALICE, verifyKeys: new Map([[1, given['ownerKey']]]) };
    expect(await openLink(given['record']!, { linkId, secret })).toMatchObject({
      nodeId: FILE,
      nodeKey: given['nodeKey'],
      owner,
    });
    const protection = { password: 'correct horse', hash: () => Promise.resolve(given['hardenedPassword']!) };
    const opened = await openLink(given['recordWithPassword']!, { linkId, secret, protection });
    expect(opened.nodeKey).toEqual(given['nodeKey']);
    expect(readLinkHead(given['recordWithPassword']!).password?.cost).toEqual(PASSWORD_COST);
  });

  it('state of an upload', async () => {
    const given = vector('resume-state');
    const state = await openResumeState(masterOf(given['masterKey']!), given['state']!, UPLOAD);
    expect(state).toMatchObject({ nodeId: FILE, revisionId: REVISION, contentKey: given['contentKey'] });
    expect(state.source).toEqual({ size: TEXT.length, modifiedAtMs: 1_700_000_000_000, fingerprint: given['fingerprint'] });
    expect(state.sealedParts.get(0)?.digest).toEqual(given['digest']);
  });
});
