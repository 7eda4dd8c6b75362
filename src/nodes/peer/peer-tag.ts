import { createCipheriv, type CipherGCM } from 'node:crypto';

const IV_BYTES = 12;
export const TAG_BYTES = 16;

/**
 * Proves bytes under a key that nothing else is proved with: GMAC with AES-256 (NIST SP 800-38D), which takes a twentieth of the time of SHA-256.
 * A key and a number together must never prove two different messages: whoever sees both tags can make others.
 */
export class PeerTag {
  private readonly cipher: CipherGCM;

  /** @param key 32 bytes @param sequence the number of the message under that key, from 0 */
  constructor(key: Uint8Array, sequence = 0) {
    const iv = Buffer.alloc(IV_BYTES);
    iv.writeUInt32BE(sequence, IV_BYTES - 4);
    this.cipher = createCipheriv('aes-256-gcm', key, iv);
  }

  update(bytes: Uint8Array): this {
    this.cipher.setAAD(bytes);
    return this;
  }

  /** 16 bytes, for all that was given as if it were one piece. */
  digest(): Buffer {
    this.cipher.final();
    return this.cipher.getAuthTag();
  }
}
