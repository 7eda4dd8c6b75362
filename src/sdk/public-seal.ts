import { Aes256Gcm, CipherSuite, HkdfSha256 } from '@hpke/core';
import { XWing } from '@hpke/hybridkem-x-wing';
import { asOwned, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';

export const SEALING_SEED_BYTES = 32;
export const SEALING_KEY_BYTES = 1216;
/** What an encapsulated key is long. */
export const ENCAPSULATED_BYTES = 1120;

/** Whoever can open what was sealed to a public key. */
export interface Recipient {
  /** The public key: 1,216 bytes. */
  readonly sealingKey: Bytes;
  readonly privateKey: CryptoKey;
}

export interface PublicSeal {
  readonly encapsulated: Bytes;
  readonly sealed: Bytes;
}

/** HPKE (RFC 9180), base mode, with X-Wing: what is sealed now stays sealed if either ML-KEM-768 or X25519 falls. */
function newSuite(): { kem: XWing; suite: CipherSuite } {
  const kem = new XWing();
  return { kem, suite: new CipherSuite({ kem, kdf: new HkdfSha256(), aead: new Aes256Gcm() }) };
}

export async function recipientOf(seed: Uint8Array): Promise<Recipient> {
  const { kem } = newSuite();
  // The package names a type of the DOM that is not there without its library.
  const pair = (await kem.generateKeyPairDerand(Uint8Array.from(seed))) as { publicKey: CryptoKey; privateKey: CryptoKey };
  return { sealingKey: new Uint8Array(await kem.serializePublicKey(pair.publicKey)), privateKey: pair.privateKey };
}

/** Seals to a public key. @param context what it is and whom it is for: stands in `info` and in the associated data */
export async function sealTo(sealingKey: Uint8Array, plain: Uint8Array, context: Uint8Array): Promise<PublicSeal> {
  const { kem, suite } = newSuite();
  const bound = Uint8Array.from(context).buffer;
  const recipientPublicKey = await kem.deserializePublicKey(Uint8Array.from(sealingKey).buffer);
  const { enc, ct } = await suite.seal({ recipientPublicKey, info: bound }, Uint8Array.from(plain).buffer, bound);
  return { encapsulated: new Uint8Array(enc), sealed: new Uint8Array(ct) };
}

/** @throws SdkError `damaged`, whatever was wrong */
export async function openSealedTo(
  recipient: Recipient,
  { encapsulated, sealed }: PublicSeal,
  context: Uint8Array,
): Promise<Bytes> {
  const { suite } = newSuite();
  const bound = Uint8Array.from(context).buffer;
  try {
    const params = { recipientKey: recipient.privateKey, enc: asOwned(encapsulated).slice().buffer, info: bound };
    return new Uint8Array(await suite.open(params, asOwned(sealed).slice().buffer, bound));
  } catch {
    throw new SdkError('damaged'); // its own message would say which step it was
  }
}
