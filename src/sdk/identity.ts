import { openForSelf, sealForSelf, type MasterKey } from './account-keys.js';
import { concat, randomBytes, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';
import { recipientOf, SEALING_SEED_BYTES, type Recipient } from './public-seal.js';
import { SIGNING_SEED_BYTES, signerOf, type Signer } from './signature.js';

/** What an account's keys for others are made of. */
export interface IdentitySeeds {
  /** Of the Ed25519 key: 32 bytes. */
  readonly signing: Bytes;
  /** Of the X-Wing key: 32 bytes. */
  readonly sealing: Bytes;
}

/** An account that can sign and open: the private half of a bundle. */
export interface Identity {
  readonly accountId: string;
  /** Of the bundle. */
  readonly version: number;
  readonly signer: Signer;
  readonly recipient: Recipient;
}

export function newIdentitySeeds(): IdentitySeeds {
  return { signing: randomBytes(SIGNING_SEED_BYTES), sealing: randomBytes(SEALING_SEED_BYTES) };
}

export async function identityOf(seeds: IdentitySeeds, of: { accountId: string; version: number }): Promise<Identity> {
  return { ...of, signer: await signerOf(seeds.signing), recipient: await recipientOf(seeds.sealing) };
}

/** Seals the seeds under the master key. @param version of the bundle that they belong to */
export async function sealSeeds(master: MasterKey, { signing, sealing }: IdentitySeeds, version: number): Promise<Bytes> {
  return sealForSelf(master, 'identity', { bytes: concat(signing, sealing), revision: version });
}

/** @throws SdkError `damaged` */
export async function openSeeds(master: MasterKey, sealed: Uint8Array, version: number): Promise<IdentitySeeds> {
  const seeds = await openForSelf(master, 'identity', { bytes: sealed, revision: version });
  if (seeds.length !== SIGNING_SEED_BYTES + SEALING_SEED_BYTES) throw new SdkError('damaged');
  return { signing: seeds.slice(0, SIGNING_SEED_BYTES), sealing: seeds.slice(SIGNING_SEED_BYTES) };
}
