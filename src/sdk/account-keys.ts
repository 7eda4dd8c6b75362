import { KEY_BYTES, hkdf, purposeKey } from './hkdf.js';
import { randomBytes, type Bytes } from './bytes.js';
import { openSeal, openTyped, seal, type SealContext } from './seal.js';

/** The account's master key, which everything else hangs on, and how often it was replaced. */
export interface MasterKey {
  readonly accountId: string;
  /** From 1; grows when the key is replaced after a compromise. */
  readonly generation: number;
  readonly key: Bytes;
}

/** By what a wrapped master key opens. */
export type Unlock = 'password' | 'recovery';

/** What a key derived of the master key is for; the server keeps what they seal. */
export type MasterPurpose = 'identity' | 'account' | 'root' | 'contacts' | 'resume' | 'settings' | 'mounts' | 'devices' | 'seen';

export function newMasterKey(accountId: string, generation = 1): MasterKey {
  return { accountId, generation, key: randomBytes(KEY_BYTES) };
}

/** The key that a password stands for. @param exportKey of OPAQUE, which has hardened the password and never leaves the client */
export async function passwordKey(exportKey: Uint8Array, accountId: string): Promise<Bytes> {
  return hkdf(exportKey, new Uint8Array(0), ['dcloud/e2ee/v1/unlock', 'password', accountId]);
}

/** The key that a recovery code stands for. Its 160 random bits need no hardening. */
export async function recoveryKey(code: Uint8Array, accountId: string): Promise<Bytes> {
  return hkdf(code, new Uint8Array(0), ['dcloud/e2ee/v1/unlock', 'recovery', accountId]);
}

/** What a recovery code shows the server to be let in: it tells nothing of the key. */
export async function recoveryProof(code: Uint8Array, accountId: string): Promise<Bytes> {
  return hkdf(code, new Uint8Array(0), ['dcloud/e2ee/v1/unlock', 'recovery-auth', accountId]);
}

export async function wrapMasterKey(master: MasterKey, by: Unlock, unlockKey: Uint8Array): Promise<Bytes> {
  return seal(unlockKey, master.key, wrapContext(master, by));
}

/** @throws SdkError `wrong-key`, `damaged` */
export async function unwrapMasterKey(
  wrapped: Uint8Array,
  of: Omit<MasterKey, 'key'>,
  by: Unlock,
  unlockKey: Uint8Array,
): Promise<MasterKey> {
  return { ...of, key: await openTyped(unlockKey, wrapped, wrapContext(of, by)) };
}

/** The key for one purpose. */
export async function masterPurposeKey(master: MasterKey, purpose: MasterPurpose): Promise<Bytes> {
  return purposeKey(master.key, purpose, master.accountId, master.generation);
}

/** Seals what only this account reads. @param revision grows with each change, so that two states are never taken for each other */
export async function sealForSelf(
  master: MasterKey,
  purpose: MasterPurpose,
  { bytes, revision }: { readonly bytes: Uint8Array; readonly revision: number },
): Promise<Bytes> {
  return seal(await masterPurposeKey(master, purpose), bytes, { purpose: 'own', fields: [purpose, revision] });
}

/** @throws SdkError `damaged` */
export async function openForSelf(
  master: MasterKey,
  purpose: MasterPurpose,
  { bytes, revision }: { readonly bytes: Uint8Array; readonly revision: number },
): Promise<Bytes> {
  return openSeal(await masterPurposeKey(master, purpose), bytes, { purpose: 'own', fields: [purpose, revision] });
}

function wrapContext({ accountId, generation }: Omit<MasterKey, 'key'>, by: Unlock): SealContext {
  return { purpose: 'master-key', fields: [accountId, generation, by] };
}
