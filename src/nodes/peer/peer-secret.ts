import { createHmac, createSecretKey, hkdfSync, timingSafeEqual, type KeyObject } from 'node:crypto';

const KEY_BYTES = 32;

/**
 * What the processes of a cluster know in common, as the keys by which they prove it to each other: for requests, for their bodies and for
 * answers, so that none can be taken for another (HKDF, RFC 5869; HMAC-SHA-256, RFC 2104). The secret itself is not kept.
 */
export class PeerSecret {
  private constructor(
    private readonly requestKey: KeyObject,
    private readonly bodyKey: KeyObject,
    private readonly answerKey: KeyObject,
  ) {}

  static of(secret: string): PeerSecret {
    return new PeerSecret(derive(secret, 'request'), derive(secret, 'body'), derive(secret, 'answer'));
  }

  signRequest(text: string): Uint8Array {
    return createHmac('sha256', this.requestKey).update(text).digest();
  }

  verifyRequest(text: string, proof: Uint8Array): boolean {
    return isSame(this.signRequest(text), proof);
  }

  /** The key for the body of one request. @param nonce of the request: no other has it */
  keyOfBody(nonce: string): Uint8Array {
    return createHmac('sha256', this.bodyKey).update(nonce).digest();
  }

  /** The key for the frames of one answer. @param salt random bytes: a request that is played again to another run has another answer */
  keyOfAnswer(nonce: string, salt: Uint8Array): Uint8Array {
    return createHmac('sha256', this.answerKey).update(nonce).update(salt).digest();
  }
}

function derive(secret: string, use: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', `DistributedCloud peer protocol 2 ${use}`, KEY_BYTES)));
}

/** Takes the same time for every wrong proof. */
export function isSame(right: Uint8Array, proof: Uint8Array): boolean {
  return proof.byteLength === right.byteLength && timingSafeEqual(right, proof);
}
