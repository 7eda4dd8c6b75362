import { parseUserName } from '../common/user-name.js';
import { concat, isEqual, sha256, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';
import { FieldReader, FieldWriter } from './fields.js';
import type { Identity } from './identity.js';
import { SEALING_KEY_BYTES } from './public-seal.js';
import { SIGNATURE_BYTES, VERIFY_KEY_BYTES, checkSigned, signed, type Signer } from './signature.js';
import { NO_HASH } from './succession.js';

const FORMAT = 0x01;
const OWN_DOMAIN = 'dcloud/e2ee/v1/bundle';
const SUCCESSION_DOMAIN = 'dcloud/e2ee/v1/bundle-succession';
const HASH_BYTES = 32;
/** Longer chains are a server that keeps us busy. */
const VERSIONS_MAX = 1_000;

/** An account's public keys, as it signed them itself. */
export interface IdentityBundle {
  readonly accountId: string;
  /** In the one form of `parseUserName`, so that no two that could be taken for each other are two people. */
  readonly userName: string;
  /** From 1, without gaps. */
  readonly version: number;
  /** SHA-256 of the bundle before, zeros before the first. */
  readonly previousHash: Bytes;
  readonly verifyKey: Bytes;
  readonly sealingKey: Bytes;
  readonly hash: Bytes;
}

/**
 * @param before the bundle that this one replaces and who could sign for it; none for the first one
 * @throws DomainError `invalid-user-name`
 */
export async function makeBundle(
  identity: Identity,
  userName: string,
  before?: { readonly bundle: IdentityBundle; readonly signer: Signer },
): Promise<Bytes> {
  const body = new FieldWriter()
    .u8(FORMAT)
    .id(identity.accountId)
    .text(parseUserName(userName))
    .u32(identity.version)
    .fixed(before?.bundle.hash ?? NO_HASH)
    .fixed(identity.signer.verifyKey)
    .fixed(identity.recipient.sealingKey)
    .finish();
  const own = await signed(OWN_DOMAIN, body, identity.signer);
  if (before === undefined) return concat(own, new Uint8Array(SIGNATURE_BYTES));
  return signed(SUCCESSION_DOMAIN, own, before.signer);
}

/** Reads a bundle and checks that it signs itself: that says nothing yet of whose it is. @throws SdkError `damaged`, `unsupported-format` */
export async function openBundle(bytes: Uint8Array): Promise<IdentityBundle> {
  const reader = new FieldReader(bytes).format(FORMAT);
  const bundle = {
    accountId: reader.id(),
    userName: reader.text(),
    version: reader.u32(),
    previousHash: reader.fixed(HASH_BYTES),
    verifyKey: reader.fixed(VERIFY_KEY_BYTES),
    sealingKey: reader.fixed(SEALING_KEY_BYTES),
  };
  reader.fixed(2 * SIGNATURE_BYTES);
  reader.end();
  if (!isUserName(bundle.userName)) throw new SdkError('damaged');
  const ownEnd = bytes.length - SIGNATURE_BYTES;
  await checkSigned(OWN_DOMAIN, bytes.subarray(0, ownEnd), bundle.verifyKey);
  const isFirst = bundle.version === 1;
  const hasNoPast = isEqual(bundle.previousHash, NO_HASH) && isEqual(bytes.subarray(ownEnd), new Uint8Array(SIGNATURE_BYTES));
  if (bundle.version === 0 || isFirst !== hasNoPast) throw new SdkError('damaged');
  return { ...bundle, hash: await sha256(bytes) };
}

function isUserName(name: string): boolean {
  try {
    return parseUserName(name) === name;
  } catch {
    return false;
  }
}

/**
 * Follows an account's bundles from one that is known to the newest: each names the one before by its hash and is signed by its key.
 * @param successors the bundles behind it, oldest first
 * @throws SdkError `identity-changed` if they do not follow
 */
export async function followBundles(
  known: IdentityBundle,
  successors: readonly Uint8Array[],
): Promise<readonly IdentityBundle[]> {
  if (successors.length > VERSIONS_MAX) throw new SdkError('damaged');
  const chain = [known];
  for (const bytes of successors) chain.push(await nextBundle(chain.at(-1) as IdentityBundle, bytes));
  return chain;
}

async function nextBundle(before: IdentityBundle, bytes: Uint8Array): Promise<IdentityBundle> {
  const next = await openBundle(bytes);
  const follows =
    next.accountId === before.accountId &&
    next.userName === before.userName &&
    next.version === before.version + 1 &&
    isEqual(next.previousHash, before.hash);
  if (!follows) throw new SdkError('identity-changed');
  try {
    await checkSigned(SUCCESSION_DOMAIN, bytes, before.verifyKey);
  } catch (cause) {
    throw new SdkError('identity-changed', { cause });
  }
  return next;
}

/** Others must be shown our own keys and no other ones. @throws SdkError `identity-changed` if the server's bundle of us is not ours */
export function assertOwnBundle(bundle: IdentityBundle, own: Identity): void {
  const isOurs =
    bundle.accountId === own.accountId &&
    bundle.version === own.version &&
    isEqual(bundle.verifyKey, own.signer.verifyKey) &&
    isEqual(bundle.sealingKey, own.recipient.sealingKey);
  if (!isOurs) throw new SdkError('identity-changed');
}
