import { createCipheriv } from 'node:crypto';

/** Bytes that a seed determines and that do not repeat: the key stream of a cipher, since megabytes of them must not take seconds. */
export function someBytes(size: number, seed = 1): Buffer<ArrayBuffer> {
  const key = Buffer.alloc(16);
  key.writeUInt32BE(seed);
  return Buffer.from(createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size)));
}
