import { openForSelf, sealForSelf, type MasterKey, unwrapMasterKey, type Unlock } from './account-keys.js';
import { concat, isEqual, sha256, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';
import { FieldReader, FieldWriter } from './fields.js';
import { KEY_BYTES } from './hkdf.js';
import { openSeeds, sealSeeds, type IdentitySeeds } from './identity.js';
import { NO_HASH } from './succession.js';

const FORMAT = 0x01;
const HASH_BYTES = 32;

/** What an account's clients keep with its login, in the order in which it is written: the keys, sealed. */
interface AccountHead {
  readonly accountId: string;
  /** Of the master key. */
  readonly generation: number;
  /** From 1; grows with each change. */
  readonly revision: number;
  /** The master key by the password and by the recovery code. */
  readonly wraps: Readonly<Record<Unlock, Bytes>>;
  /** Of the public bundle that the seeds belong to. */
  readonly identityVersion: number;
  readonly sealedSeeds: Bytes;
}

/** What an account's sealed keys are made of, or opened to. */
export interface AccountContent extends Pick<AccountHead, 'revision' | 'wraps' | 'identityVersion'> {
  readonly master: MasterKey;
  /** The master key before this one, while there is still something under it: after its change was broken off. */
  readonly formerMaster?: MasterKey;
  readonly seeds: IdentitySeeds;
  /** SHA-256 of what this one replaces; zeros in the first. */
  readonly previousHash: Bytes;
}

export interface OpenedAccount extends AccountContent {
  /** SHA-256 of the sealed bytes. */
  readonly hash: Bytes;
}

/** Seals it together with the hash of the public bundle: the server cannot put another one beside it, nor mix the parts of two states. */
export async function sealAccount(content: AccountContent, publicBundle: Uint8Array): Promise<Bytes> {
  const { master, seeds, identityVersion, formerMaster } = content;
  const sealedSeeds = await sealSeeds(master, seeds, identityVersion);
  const head = encodeHead({ ...content, accountId: master.accountId, generation: master.generation, sealedSeeds });
  const state = new FieldWriter()
    .u8(FORMAT)
    .fixed(await sha256(head))
    .fixed(await sha256(publicBundle))
    .fixed(content.previousHash);
  if (formerMaster === undefined) state.u8(0);
  else state.u8(1).u32(formerMaster.generation).fixed(formerMaster.key);
  const sealed = await sealForSelf(master, 'account', { bytes: state.finish(), revision: content.revision });
  return concat(head, new FieldWriter().bytes(sealed).finish());
}

/**
 * The master key, by what a person typed.
 * @throws SdkError `wrong-key`, `damaged`, `unsupported-format`
 */
export async function unlockMaster(
  sealed: Uint8Array,
  by: Unlock,
  keyOf: (accountId: string) => Promise<Bytes>,
): Promise<MasterKey> {
  const { accountId, generation, wraps } = readHead(new FieldReader(sealed));
  return unwrapMasterKey(wraps[by], { accountId, generation }, by, await keyOf(accountId));
}

/** @throws SdkError `damaged`, `unsupported-format`; `session-over` if the master key was replaced since this one was known */
export async function openAccount(sealed: Uint8Array, publicBundle: Uint8Array, master: MasterKey): Promise<OpenedAccount> {
  const reader = new FieldReader(sealed);
  const head = readHead(reader);
  const headBytes = encodeHead(head);
  const sealedState = reader.bytes();
  reader.end();
  if (head.accountId !== master.accountId) throw new SdkError('damaged');
  if (head.generation > master.generation) throw new SdkError('session-over');
  if (head.generation < master.generation) throw new SdkError('rolled-back');
  const state = new FieldReader(await openForSelf(master, 'account', { bytes: sealedState, revision: head.revision })).format(
    FORMAT,
  );
  const [headHash, bundleHash, previousHash] = [state.fixed(HASH_BYTES), state.fixed(HASH_BYTES), state.fixed(HASH_BYTES)];
  const formerMaster = readFormer(state, master.accountId);
  state.end();
  if (!isEqual(headHash, await sha256(headBytes))) throw new SdkError('damaged');
  if (!isEqual(bundleHash, await sha256(publicBundle))) throw new SdkError('identity-changed');
  if ((head.revision === 1) !== isEqual(previousHash, NO_HASH)) throw new SdkError('damaged');
  const { revision, wraps, identityVersion } = head;
  const seeds = await openSeeds(master, head.sealedSeeds, identityVersion);
  const content = { revision, wraps, identityVersion, previousHash, master, seeds, hash: await sha256(sealed) };
  return formerMaster === undefined ? content : { ...content, formerMaster };
}

function readFormer(reader: FieldReader, accountId: string): MasterKey | undefined {
  const isThere = reader.u8();
  if (isThere === 0) return undefined;
  if (isThere !== 1) throw new SdkError('damaged');
  return { accountId, generation: reader.u32(), key: reader.fixed(KEY_BYTES) };
}

function encodeHead(head: AccountHead): Bytes {
  const { accountId, generation, revision, wraps, identityVersion, sealedSeeds } = head;
  const writer = new FieldWriter().u8(FORMAT).id(accountId).u32(generation).u32(revision);
  return writer.bytes(wraps.password).bytes(wraps.recovery).u32(identityVersion).bytes(sealedSeeds).finish();
}

function readHead(reader: FieldReader): AccountHead {
  reader.format(FORMAT);
  const [accountId, generation, revision] = [reader.id(), reader.u32(), reader.u32()];
  const wraps = { password: reader.bytes(), recovery: reader.bytes() };
  return { accountId, generation, revision, wraps, identityVersion: reader.u32(), sealedSeeds: reader.bytes() };
}
