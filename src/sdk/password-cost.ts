import type { Bytes } from './bytes.js';
import { SdkError } from './errors.js';

/** The cost of argon2id (RFC 9106). */
export interface PasswordCost {
  readonly memoryKib: number;
  readonly iterations: number;
  readonly parallelism: number;
}

/** What every new password is hardened with: 64 MiB, three passes (the second choice of RFC 9106, section 4, with one lane). */
export const PASSWORD_COST: PasswordCost = Object.freeze({ memoryKib: 65_536, iterations: 3, parallelism: 1 });

/** More than this would be a server that stops clients instead of asking for safety. */
const MEMORY_KIB_MAX = 2 ** 20;
const ITERATIONS_MAX = 64;
const PARALLELISM_MAX = 16;

/** Hardens a password with argon2id to 32 bytes. Given from outside: Web Crypto has none. */
export type PasswordHash = (password: Uint8Array, salt: Uint8Array, cost: PasswordCost) => Promise<Bytes>;

/** A server must not choose how cheap guessing is. @throws SdkError `weak-password-cost` below the floor, `damaged` beyond all reason */
export function assertCost({ memoryKib, iterations, parallelism }: PasswordCost): void {
  // What is no number is no less than anything.
  const isStrong = memoryKib >= PASSWORD_COST.memoryKib && iterations >= PASSWORD_COST.iterations && parallelism >= 1;
  if (!isStrong) throw new SdkError('weak-password-cost');
  const isAbsurd = memoryKib > MEMORY_KIB_MAX || iterations > ITERATIONS_MAX || parallelism > PARALLELISM_MAX;
  if (isAbsurd) throw new SdkError('damaged');
}

/** A password as it is hashed: one text for what looks the same, however it was typed. */
export function passwordBytes(password: string): Bytes {
  return new TextEncoder().encode(password.normalize('NFKC'));
}
