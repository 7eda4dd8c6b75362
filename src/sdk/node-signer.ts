import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { concat, fromBase64Url } from './bytes.js';
import { PKCS8_HEAD, type Signer } from './signature.js';

/** With node:crypto, at once: to hand a message to a thread and to wait for it takes longer than to sign it. */
export function nodeSigner(seed: Uint8Array): Promise<Signer> {
  const key = createPrivateKey({ key: Buffer.from(concat(PKCS8_HEAD, seed)), format: 'der', type: 'pkcs8' });
  const verifyKey = fromBase64Url(createPublicKey(key).export({ format: 'jwk' }).x ?? '');
  if (verifyKey === undefined) throw new Error('the key has no public part');
  return Promise.resolve({
    verifyKey,
    sign: (message) => Promise.resolve(Uint8Array.from(sign(null, message, key))),
  });
}
