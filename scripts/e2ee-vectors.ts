import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';

/**
 * Makes the vectors of the client's formats in `test/vectors/e2ee`, once for each version of a format: what exists is frozen and never
 * written again, for later programs must read it. Needs `npm run build` before.
 */
const ROOT = new URL('../', import.meta.url);
const DIRECTORY = new URL('test/vectors/e2ee/', ROOT);

const load = async <Module>(name: string): Promise<Module> => (await import(new URL(`dist/sdk/${name}.js`, ROOT).href)) as Module;
const account = await load<typeof import('../src/sdk/account-keys.js')>('account-keys');
const accountSeal = await load<typeof import('../src/sdk/account-seal.js')>('account-seal');
const bytes = await load<typeof import('../src/sdk/bytes.js')>('bytes');
const content = await load<typeof import('../src/sdk/content.js')>('content');
const floe = await load<typeof import('../src/sdk/web-floe-back-end.js')>('web-floe-back-end');
const grants = await load<typeof import('../src/sdk/grant.js')>('grant');
const identities = await load<typeof import('../src/sdk/identity.js')>('identity');
const bundles = await load<typeof import('../src/sdk/identity-bundle.js')>('identity-bundle');
const keyChange = await load<typeof import('../src/sdk/key-change.js')>('key-change');
const links = await load<typeof import('../src/sdk/link.js')>('link');
const linkUrls = await load<typeof import('../src/sdk/link-url.js')>('link-url');
const manifests = await load<typeof import('../src/sdk/revision-manifest.js')>('revision-manifest');
const names = await load<typeof import('../src/sdk/drive-name.js')>('drive-name');
const nodeKeys = await load<typeof import('../src/sdk/drive-keys.js')>('drive-keys');
const pinned = await load<typeof import('../src/sdk/pins.js')>('pins');
const plans = await load<typeof import('../src/sdk/part-plan.js')>('part-plan');
const recovery = await load<typeof import('../src/sdk/recovery-code.js')>('recovery-code');
const records = await load<typeof import('../src/sdk/drive-record.js')>('drive-record');
const resume = await load<typeof import('../src/sdk/resume-state.js')>('resume-state');
const safety = await load<typeof import('../src/sdk/safety-number.js')>('safety-number');
const seals = await load<typeof import('../src/sdk/seal.js')>('seal');
const writers = await load<typeof import('../src/sdk/writers.js')>('writers');

const ALICE = '01890a5d-ac96-774b-bcce-b302099a8057';
const BOB = '01890a5d-ac96-774b-bcce-b302099a8058';
const [FOLDER, FILE, REVISION, LINK, GRANT, UPLOAD] = [1, 2, 3, 4, 5, 6].map(
  (digit) => `01890a5d-ac96-774b-8cce-00000000000${digit}`,
) as [string, string, string, string, string, string];
const NO_HASH = new Uint8Array(32);

await mkdir(DIRECTORY, { recursive: true });

const sealKey = bytes.randomBytes(32);
const plain = bytes.utf8('a small secret');
await freeze('seal', {
  key: sealKey,
  plain,
  sealed: await seals.seal(sealKey, plain, { purpose: 'vector', fields: [FILE, 1, 'file', Uint8Array.of(1, 2)] }),
});

const master = account.newMasterKey(ALICE);
const [exportKey, code] = [bytes.randomBytes(64), recovery.newRecoveryCode()];
await freeze('account-keys', {
  exportKey,
  recoveryCode: recovery.formatRecoveryCode(code),
  recoveryProof: await account.recoveryProof(code, ALICE),
  masterKey: master.key,
  byPassword: await account.wrapMasterKey(master, 'password', await account.passwordKey(exportKey, ALICE)),
  byRecoveryCode: await account.wrapMasterKey(master, 'recovery', await account.recoveryKey(code, ALICE)),
  settings: await account.sealForSelf(master, 'settings', { bytes: plain, revision: 3 }),
});

const seeds = identities.newIdentitySeeds();
const alice = await identities.identityOf(seeds, { accountId: ALICE, version: 1 });
const aliceBundle = await bundles.makeBundle(alice, 'alice');
const aliceOpened = await bundles.openBundle(aliceBundle);
const aliceNext = await keyChange.changeIdentity(master, { identity: alice, bundle: aliceOpened });
const bobSeeds = identities.newIdentitySeeds();
const bob = await identities.identityOf(bobSeeds, { accountId: BOB, version: 1 });
const bobBundle = await bundles.makeBundle(bob, 'bøb');
const bobOpened = await bundles.openBundle(bobBundle);
const pins = new pinned.Pins();
pins.meet([bobOpened], { accountId: BOB });
pins.verify(bobOpened);
await freeze('identity', {
  masterKey: master.key,
  signingSeed: seeds.signing,
  sealingSeed: seeds.sealing,
  sealedSeeds: await identities.sealSeeds(master, seeds, 1),
  bundle: aliceBundle,
  nextBundle: aliceNext.bundle,
  otherBundle: bobBundle,
  safetyNumber: await safety.safetyNumber(aliceOpened, bobOpened),
  pins: (await pins.seal(master)).bytes,
});

const formerMaster = master;
const laterMaster = account.newMasterKey(ALICE, 2);
const laterExport = bytes.randomBytes(64);
const laterCode = recovery.newRecoveryCode();
const laterWraps = {
  password: await account.wrapMasterKey(laterMaster, 'password', await account.passwordKey(laterExport, ALICE)),
  recovery: await account.wrapMasterKey(laterMaster, 'recovery', await account.recoveryKey(laterCode, ALICE)),
};
const keys = { wraps: laterWraps, seeds, identityVersion: 1 };
const changing = { ...keys, master: laterMaster, formerMaster, revision: 2, previousHash: bytes.randomBytes(32) };
await freeze('account-seal', {
  masterKey: laterMaster.key,
  formerMasterKey: formerMaster.key,
  exportKey: laterExport,
  recoveryCode: recovery.formatRecoveryCode(laterCode),
  signingSeed: seeds.signing,
  previousHash: changing.previousHash,
  bundle: aliceBundle,
  sealed: await accountSeal.sealAccount(changing, aliceBundle),
});

const by = { accountId: ALICE, bundleVersion: 1 };
const rootKeys = nodeKeys.NodeKeys.fresh();
const folderKeys = rootKeys.next();
const fileKeys = nodeKeys.NodeKeys.fresh();
const times = { createdAt: 1_700_000_000_000, modifiedAt: 1_700_000_000_001 };
const attributes = { name: 'Übersicht.txt', kind: 'file', mediaType: 'text/plain', ...times } as const;
const first = { revision: 1, previousHash: NO_HASH, writer: by };
const record = { nodeId: FILE, parentId: FOLDER, ...first, keys: fileKeys.next(), attributes };
await freeze('node-record', {
  folderKeys: [folderKeys.at(1), folderKeys.at(2)],
  nodeKeys: [record.keys.at(1), record.keys.at(2)],
  verifyKey: alice.signer.verifyKey,
  nameTag: await names.nameTag(folderKeys.current, attributes.name),
  record: await records.makeNodeRecord(record, folderKeys, alice.signer),
});

const text = bytes.utf8('What stands in the file. '.repeat(20));
const cipher = { ids: { nodeId: FILE, revisionId: REVISION }, contentKey: bytes.randomBytes(32), floe: floe.webFloe };
const plan = plans.planParts(text.length);
const part = await content.sealPart(cipher, plans.partAt(plan, 0), {
  source: pieces(),
  trueSize: text.length,
});
const sealedContent = { plan, trueSize: text.length, parts: [part] };
const manifest = { ...cipher.ids, ...sealedContent, ...first, contentKey: cipher.contentKey };
await freeze('revision', {
  nodeKey: fileKeys.current,
  verifyKey: alice.signer.verifyKey,
  contentKey: cipher.contentKey,
  plain: text,
  part: part.bytes,
  manifest: await manifests.makeManifest(manifest, fileKeys, alice.signer),
});

const given = { nodeId: FILE, kind: 'file', generation: 1, nodeKey: fileKeys.current } as const;
const entry = { accountId: BOB, bundleVersion: 1, verifyKey: bobOpened.verifyKey, fromRevision: 1, toRevision: 2 };
await freeze('sharing', {
  nodeKey: fileKeys.current,
  granterKey: alice.signer.verifyKey,
  recipientSigningSeed: bobSeeds.signing,
  recipientSealingSeed: bobSeeds.sealing,
  recipientBundle: bobBundle,
  grant: await grants.makeGrant({ ...given, grantId: GRANT, rights: 'write' }, alice, bobOpened),
  writersList: await writers.makeWritersList({ nodeId: FILE, revision: 2, previousHash: NO_HASH, entries: [entry] }, alice),
});

const secret = linkUrls.newLinkSecret();
const owner = { accountId: ALICE, verifyKeys: new Map([[1, alice.signer.verifyKey]]) };
const hardened = bytes.randomBytes(32);
const protection = { password: 'correct horse', hash: () => Promise.resolve(hardened) };
const link = { ...given, linkId: LINK, secret, owner };
await freeze('link', {
  url: linkUrls.formatLink({ origin: 'https://cloud.example', linkId: LINK, secret }),
  nodeKey: fileKeys.current,
  ownerKey: alice.signer.verifyKey,
  proof: await links.linkProof(secret, LINK),
  record: await links.makeLink(link),
  hardenedPassword: hardened,
  recordWithPassword: await links.makeLink({ ...link, protection }),
});

const source = { size: text.length, modifiedAtMs: 1_700_000_000_000, fingerprint: bytes.randomBytes(32) };
const state = { ...cipher.ids, uploadId: UPLOAD, contentKey: cipher.contentKey, source, plan, sealedParts: new Map([[0, part]]) };
await freeze('resume-state', {
  masterKey: master.key,
  contentKey: cipher.contentKey,
  fingerprint: source.fingerprint,
  digest: part.digest,
  state: await resume.sealResumeState(master, state),
});

async function* pieces(): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(text);
}

type Value = string | Uint8Array | readonly Uint8Array[];

async function freeze(format: string, values: Readonly<Record<string, Value>>): Promise<void> {
  const file = new URL(`${format}.v1.json`, DIRECTORY);
  if (existsSync(file)) {
    console.log(`${format}.v1.json is frozen`);
    return;
  }
  const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');
  const shown = Object.entries(values).map(([name, value]) => {
    if (typeof value === 'string') return [name, value];
    return [name, value instanceof Uint8Array ? hex(value) : value.map(hex)];
  });
  await writeFile(file, `${JSON.stringify(Object.fromEntries(shown), null, 2)}\n`);
  console.log(`${format}.v1.json is new`);
}
