import {
  masterPurposeKey,
  newMasterKey,
  passwordKey,
  recoveryKey,
  sealForSelf,
  wrapMasterKey,
  type MasterKey,
} from './account-keys.js';
import type { Bytes } from './bytes.js';
import { identityOf, newIdentitySeeds, sealSeeds, type Identity, type IdentitySeeds } from './identity.js';
import { makeBundle, type IdentityBundle } from './identity-bundle.js';
import { NodeKeys } from './drive-keys.js';
import { makeNodeRecord, type NodeRecord } from './drive-record.js';
import type { Pins } from './pins.js';
import { newRecoveryCode } from './recovery-code.js';
import type { WriterRef } from './writers.js';

/** A new password: the master key stays, so that nothing else changes. */
export async function changePassword(master: MasterKey, exportKey: Uint8Array): Promise<Bytes> {
  return wrapMasterKey(master, 'password', await passwordKey(exportKey, master.accountId));
}

/** A new recovery code; the old one opens nothing any more as soon as the server keeps the new wrap in the place of the old. */
export async function changeRecoveryCode(master: MasterKey): Promise<{ readonly code: Bytes; readonly wrapped: Bytes }> {
  const code = newRecoveryCode();
  return { code, wrapped: await wrapMasterKey(master, 'recovery', await recoveryKey(code, master.accountId)) };
}

export interface NewIdentity {
  readonly identity: Identity;
  readonly seeds: IdentitySeeds;
  readonly bundle: Bytes;
  readonly sealedSeeds: Bytes;
}

/** New keys for others, which the old ones vouch for. What was shared with the old ones has to be granted anew. */
export async function changeIdentity(
  master: MasterKey,
  old: { readonly identity: Identity; readonly bundle: IdentityBundle },
): Promise<NewIdentity> {
  const seeds = newIdentitySeeds();
  const version = old.bundle.version + 1;
  const identity = await identityOf(seeds, { accountId: master.accountId, version });
  const before = { bundle: old.bundle, signer: old.identity.signer };
  const bundle = await makeBundle(identity, old.bundle.userName, before);
  return { identity, seeds, bundle, sealedSeeds: await sealSeeds(master, seeds, version) };
}

/** All that hangs on the master key directly; contents and the rest of the tree hang on the root's key and stay. */
export interface MasterHoldings {
  readonly seeds: IdentitySeeds;
  readonly identity: Identity;
  readonly root: NodeRecord;
  readonly pins: Pins;
  readonly settings: { readonly bytes: Uint8Array; readonly revision: number };
}

export interface NewMaster {
  readonly master: MasterKey;
  readonly sealedSeeds: Bytes;
  readonly root: Bytes;
  readonly contacts: { readonly bytes: Bytes; readonly revision: number };
  readonly settings: { readonly bytes: Bytes; readonly revision: number };
}

/**
 * A new master key after a compromise; before it `changeIdentity`, for who has the old master key has the seeds under it. The root gets a new key too, for who has the old master key has the old root key: what is written
 * from now on hangs on the new one. To be put in the place of the old parts in one step, with new wraps by password and recovery code.
 */
export async function changeMasterKey(old: MasterKey, holdings: MasterHoldings): Promise<NewMaster> {
  const master = newMasterKey(old.accountId, old.generation + 1);
  const { seeds, identity, root, pins, settings } = holdings;
  const next = { bytes: settings.bytes, revision: settings.revision + 1 };
  return {
    master,
    sealedSeeds: await sealSeeds(master, seeds, identity.version),
    root: await rekeyRoot(root, master, identity),
    contacts: await pins.seal(master),
    settings: { bytes: await sealForSelf(master, 'settings', next), revision: next.revision },
  };
}

/** The root's record under a new master key, with a new key of its own. */
export async function rekeyRoot(root: NodeRecord, master: MasterKey, identity: Identity): Promise<Bytes> {
  const writer: WriterRef = { accountId: identity.accountId, bundleVersion: identity.version };
  const draft = { ...root, keys: root.keys.next(), revision: root.revision + 1, previousHash: root.hash, writer };
  return makeNodeRecord(draft, await rootParentKeys(master), identity.signer);
}

/** What wraps the root's key in the place of a folder above it. */
export async function rootParentKeys(master: MasterKey): Promise<NodeKeys> {
  return NodeKeys.derived(await masterPurposeKey(master, 'root'));
}
