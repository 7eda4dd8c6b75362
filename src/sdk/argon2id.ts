import { argon2id } from 'hash-wasm';
import { asOwned } from './bytes.js';
import { KEY_BYTES } from './hkdf.js';
import { assertCost, type PasswordHash } from './password-cost.js';

/** Argon2id (RFC 9106) in WebAssembly, which runs in Node and in browsers alike. @throws SdkError `weak-password-cost` before anything is hashed */
export const argon2idHash: PasswordHash = async (password, salt, cost) => {
  assertCost(cost);
  const { memoryKib: memorySize, iterations, parallelism } = cost;
  const options = { password, salt, memorySize, iterations, parallelism, hashLength: KEY_BYTES, outputType: 'binary' } as const;
  return asOwned(await argon2id(options));
};
