import { createHmac, createSecretKey, hkdfSync, timingSafeEqual, type KeyObject } from 'node:crypto';

const KEY_BYTES = 32;
export const PROOF_BYTES = 32;

/**
 * What the processes of a cluster know in common, as the keys by which they prove it to each other: one for requests and another for
 * answers, so that neither can be taken for the other (HKDF, RFC 5869; HMAC-SHA-256, RFC 2104). The secret itself is not kept.
 */
export class PeerSecret {
  private constructor(
    private readonly requestKey: KeyObject,
    private readonly answerKey: KeyObject,
  ) {}

  static of(secret: string): PeerSecret {
    return new PeerSecret(derive(secret, 'request'), derive(secret, 'answer'));
  }

  signRequest(text: string): Uint8Array {
    return createHmac('sha256', this.requestKey).update(text).digest();
  }

  /** Takes the same time for every wrong proof. */
  verifyRequest(text: string, proof: Uint8Array): boolean {
    return isSame(this.signRequest(text), proof);
  }

  /** Signs the parts as if they were one; the caller sees to it that they cannot be cut in another way. */
  signAnswer(parts: readonly Uint8Array[]): Uint8Array {
    const hmac = createHmac('sha256', this.answerKey);
    for (const part of parts) hmac.update(part);
    return hmac.digest();
  }

  /** Takes the same time for every wrong proof. */
  verifyAnswer(parts: readonly Uint8Array[], proof: Uint8Array): boolean {
    return isSame(this.signAnswer(parts), proof);
  }
}

function derive(secret: string, use: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', `DistributedCloud peer protocol 1 ${use}`, KEY_BYTES)));
}

function isSame(right: Uint8Array, proof: Uint8Array): boolean {
  return proof.byteLength === right.byteLength && timingSafeEqual(right, proof);
}
