import { tuple } from '../crypto/tuple.js';
import { asOwned, concat, fromBase64Url, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';

export const SIGNATURE_BYTES = 64;
export const VERIFY_KEY_BYTES = 32;
export const SIGNING_SEED_BYTES = 32;

/** What stands before the 32 bytes of an Ed25519 seed in PKCS #8 (RFC 8410, section 7): Web Crypto imports private keys in no shorter form. */
export const PKCS8_HEAD = Uint8Array.of(0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20);

const verifyKeys = new WeakMap<Uint8Array, Promise<CryptoKey>>();

/** Signs with Ed25519 (RFC 8032). */
export interface Signer {
  readonly verifyKey: Bytes;
  sign(message: Uint8Array): Promise<Bytes>;
}

/** With Web Crypto: in browsers, and wherever nothing else was chosen. */
export async function webSigner(seed: Uint8Array): Promise<Signer> {
  const { subtle } = globalThis.crypto;
  const key = await subtle.importKey('pkcs8', concat(PKCS8_HEAD, seed), 'Ed25519', true, ['sign']);
  const { x } = await subtle.exportKey('jwk', key);
  const verifyKey = fromBase64Url(x ?? '');
  if (verifyKey?.length !== VERIFY_KEY_BYTES) throw new Error('Web Crypto exports no public part of an Ed25519 key');
  return {
    verifyKey,
    sign: async (message) => new Uint8Array(await subtle.sign('Ed25519', key, asOwned(message))),
  };
}

let chosen = webSigner;

/** For all of the process: the signatures are the same bytes, and only the time differs. */
export function useSigner(signer: typeof webSigner): void {
  chosen = signer;
}

export function signerOf(seed: Uint8Array): Promise<Signer> {
  return chosen(seed);
}

/** A body and the signature behind it. The domain is signed with it, so that no format passes for another one. */
export async function signed(domain: string, body: Uint8Array, signer: Signer): Promise<Bytes> {
  return concat(body, await signer.sign(tuple(domain, body)));
}

/** Cuts off the signature, which is not checked here: whom to check it with stands in the body. @throws SdkError `damaged` */
export function splitSigned(bytes: Uint8Array): { readonly body: Uint8Array; readonly signature: Uint8Array } {
  if (bytes.length < SIGNATURE_BYTES) throw new SdkError('damaged');
  const end = bytes.length - SIGNATURE_BYTES;
  return { body: bytes.subarray(0, end), signature: bytes.subarray(end) };
}

/** @throws SdkError `damaged` if it is not what the holder of this key signed */
export async function checkSigned(domain: string, bytes: Uint8Array, verifyKey: Uint8Array): Promise<void> {
  const { body, signature } = splitSigned(bytes);
  const message = asOwned(tuple(domain, body));
  const isGenuine = await globalThis.crypto.subtle.verify('Ed25519', await importKey(verifyKey), asOwned(signature), message);
  if (!isGenuine) throw new SdkError('damaged');
}

function importKey(raw: Uint8Array): Promise<CryptoKey> {
  const known = verifyKeys.get(raw);
  if (known !== undefined) return known;
  const key = globalThis.crypto.subtle.importKey('raw', asOwned(raw), 'Ed25519', false, ['verify']);
  verifyKeys.set(raw, key);
  return key;
}
