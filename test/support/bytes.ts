import { randomOf } from './storage-node.shards.js';

/** Bytes that a seed determines and that do not repeat. */
export function someBytes(size: number, seed = 1): Buffer<ArrayBuffer> {
  const random = randomOf(seed);
  const words = Uint32Array.from({ length: Math.ceil(size / 4) }, () => random() * 2 ** 32);
  return Buffer.from(words.buffer, 0, size);
}
