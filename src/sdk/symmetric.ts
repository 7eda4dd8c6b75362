/** As in bytes.ts, which needs this file. */
type Bytes = Uint8Array<ArrayBuffer>;

/**
 * What seals of a few bytes are made of. A listing of ten thousand entries needs some hundred thousand of these steps, and Web Crypto, which
 * browsers have, takes longer to hand each to a thread of its own than to do it; where there is something faster, the entry for the platform says so.
 */
export interface Symmetric {
  /** HKDF-SHA-256 (RFC 5869). */
  hkdf(secret: Bytes, salt: Bytes, info: Bytes, length: number): Bytes | Promise<Bytes>;
  /** AES-256-GCM, with its tag of 16 bytes behind. */
  encrypt(key: Bytes, iv: Bytes, plain: Bytes): Bytes | Promise<Bytes>;
  /** Undefined if the tag is not that of these bytes. */
  decrypt(key: Bytes, iv: Bytes, sealed: Bytes): Bytes | undefined | Promise<Bytes | undefined>;
  /** HMAC-SHA-256. */
  hmac(key: Bytes, message: Bytes): Bytes | Promise<Bytes>;
  sha256(bytes: Bytes): Bytes | Promise<Bytes>;
}

const { subtle } = globalThis.crypto;

/** Keys as Web Crypto holds them, by the bytes that they were made of: importing one takes longer than using it. */
const secrets = new WeakMap<Uint8Array, Promise<CryptoKey>>();
const hmacKeys = new WeakMap<Uint8Array, Promise<CryptoKey>>();

/** With Web Crypto: in browsers, and wherever nothing else was chosen. */
export const webSymmetric: Symmetric = {
  async hkdf(secret, salt, info, length) {
    const key = await kept(secrets, secret, () => subtle.importKey('raw', secret, 'HKDF', false, ['deriveBits']));
    return new Uint8Array(await subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt, info }, key, 8 * length));
  },
  async encrypt(raw, iv, plain) {
    const key = await subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt']);
    return new Uint8Array(await subtle.encrypt({ name: 'AES-GCM', iv }, key, plain));
  },
  async decrypt(raw, iv, sealed) {
    const key = await subtle.importKey('raw', raw, 'AES-GCM', false, ['decrypt']);
    try {
      return new Uint8Array(await subtle.decrypt({ name: 'AES-GCM', iv }, key, sealed));
    } catch {
      return undefined; // its own message would say which check it was
    }
  },
  async hmac(raw, message) {
    const importRaw = (): Promise<CryptoKey> => subtle.importKey('raw', raw, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    return new Uint8Array(await subtle.sign('HMAC', await kept(hmacKeys, raw, importRaw), message));
  },
  sha256: async (bytes) => new Uint8Array(await subtle.digest('SHA-256', bytes)),
};

let chosen = webSymmetric;

/** For all of the process: the results are the same bytes, and only the time differs. */
export function useSymmetric(symmetric: Symmetric): void {
  chosen = symmetric;
}

export function symmetric(): Symmetric {
  return chosen;
}

function kept(
  keys: WeakMap<Uint8Array, Promise<CryptoKey>>,
  raw: Uint8Array,
  make: () => Promise<CryptoKey>,
): Promise<CryptoKey> {
  const key = keys.get(raw) ?? make();
  keys.set(raw, key);
  return key;
}
