import { tuple } from '../crypto/tuple.js';
import { asOwned, concat, type Bytes } from './bytes.js';
import type { IdentityBundle } from './identity-bundle.js';

/** As in Signal: half a number has about 100 bits, and this many rounds make finding keys with the same one dearer. */
const ROUNDS = 5_200;
const GROUPS = 6;
const GROUP_BYTES = 5;

/** Sixty digits in twelve groups that two people compare by voice or on paper: the same on both sides, whoever computes them. */
export async function safetyNumber(one: IdentityBundle, other: IdentityBundle): Promise<string> {
  const [first, second] = one.accountId < other.accountId ? [one, other] : [other, one];
  return [...(await digitsOf(first)), ...(await digitsOf(second))].join(' ');
}

/** The half of an account, which is in each of its safety numbers. */
export async function halfNumber(one: IdentityBundle): Promise<string> {
  return (await digitsOf(one)).join(' ');
}

async function digitsOf({ accountId, verifyKey, sealingKey }: IdentityBundle): Promise<readonly string[]> {
  const identity = tuple('dcloud/e2ee/v1/safety-number', accountId, verifyKey, sealingKey);
  let hash: Bytes = asOwned(identity);
  for (let round = 0; round < ROUNDS; round += 1) hash = await sha512(concat(hash, verifyKey));
  return Array.from({ length: GROUPS }, (_, group) => {
    const bytes = hash.subarray(group * GROUP_BYTES, (group + 1) * GROUP_BYTES);
    const value = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
    return String(value % 100_000).padStart(5, '0');
  });
}

async function sha512(bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await globalThis.crypto.subtle.digest('SHA-512', bytes));
}
