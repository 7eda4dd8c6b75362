import { argon2Sync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { failureOf } from '../../test/support/e2ee-world.js';
import { argon2idHash } from './argon2id.js';
import { PASSWORD_COST, passwordBytes } from './password-cost.js';

describe('argon2id', () => {
  it('is what another implementation makes of the same password, salt and cost', async () => {
    const [password, salt] = [passwordBytes('correct horse battery staple'), new Uint8Array(16).fill(7)];
    const { memoryKib: memory, iterations: passes, parallelism } = PASSWORD_COST;
    const expected = argon2Sync('argon2id', { message: password, nonce: salt, memory, passes, parallelism, tagLength: 32 });
    expect(await argon2idHash(password, salt, PASSWORD_COST)).toEqual(Uint8Array.from(expected));
  });

  // Attack 4 once more, where the hash itself is: whoever calls it cannot forget the floor.
  it('does not hash below the floor, whoever asks', async () => {
    const weak = { ...PASSWORD_COST, memoryKib: PASSWORD_COST.memoryKib - 1 };
    expect(await failureOf(argon2idHash(passwordBytes('x'), new Uint8Array(16), weak))).toBe('weak-password-cost');
    expect(await failureOf(argon2idHash(passwordBytes('x'), new Uint8Array(16), { ...PASSWORD_COST, iterations: 2 }))).toBe(
      'weak-password-cost',
    );
  });
});
