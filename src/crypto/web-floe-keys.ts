import { FLOE_KEY_BYTES, HEADER_TAG_BYTES, kdfInput, rotationStart, type FloeMessage, type FloePurpose } from './floe-format.js';

const KDF = { name: 'HMAC', hash: 'SHA-384' };

/** Makes a key for the WebCrypto back end of its 32 bytes; the bytes may be wiped afterwards. */
export async function importWebFloeKey(raw: Uint8Array): Promise<CryptoKey> {
  if (raw.length !== FLOE_KEY_BYTES) throw new TypeError(`a FLOE key is a secret of ${FLOE_KEY_BYTES} bytes`);
  return globalThis.crypto.subtle.importKey('raw', Uint8Array.from(raw), KDF, false, ['sign']);
}

/** All that is derived from the key of one FLOE message, with WebCrypto. */
export class WebFloeKeys {
  private current: { readonly start: number; readonly key: Promise<CryptoKey>; derived?: CryptoKey } | undefined;

  private constructor(
    private readonly message: FloeMessage,
    readonly headerTag: Uint8Array,
    private readonly messageKey: CryptoKey,
  ) {}

  static async derive(key: CryptoKey, message: FloeMessage): Promise<WebFloeKeys> {
    const tag = await expand(key, message, 'HEADER_TAG:');
    const messageKey = await expand(key, message, 'MESSAGE_KEY:');
    try {
      const imported = await globalThis.crypto.subtle.importKey('raw', messageKey, KDF, false, ['sign']);
      return new WebFloeKeys(message, tag.subarray(0, HEADER_TAG_BYTES), imported);
    } finally {
      messageKey.fill(0);
    }
  }

  /** The key of the segment at a position, kept until another one is needed: a million neighbours share it. */
  async segmentKey(position: number): Promise<CryptoKey> {
    const start = rotationStart(position, this.message.parameters);
    if (this.current?.start !== start) this.current = { start, key: this.deriveSegmentKey(position) };
    const { current } = this;
    return (current.derived = await current.key);
  }

  /** The same, if it was waited for before. */
  segmentKeyAtHand(position: number): CryptoKey | undefined {
    const { current } = this;
    return current?.start === rotationStart(position, this.message.parameters) ? current.derived : undefined;
  }

  private async deriveSegmentKey(position: number): Promise<CryptoKey> {
    const derived = await expand(this.messageKey, this.message, { segmentKeyOf: position });
    try {
      const raw = derived.subarray(0, FLOE_KEY_BYTES);
      return await globalThis.crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt', 'decrypt']);
    } finally {
      derived.fill(0);
    }
  }
}

async function expand(key: CryptoKey, message: FloeMessage, purpose: FloePurpose): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await globalThis.crypto.subtle.sign('HMAC', key, Uint8Array.from(kdfInput(message, purpose))));
}
