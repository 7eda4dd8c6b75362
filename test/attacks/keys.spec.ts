import { createCipheriv } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import {
  newMasterKey,
  openForSelf,
  passwordKey,
  recoveryKey,
  sealForSelf,
  unwrapMasterKey,
  wrapMasterKey,
} from '../../src/sdk/account-keys.js';
import { concat, randomBytes } from '../../src/sdk/bytes.js';
import { SdkError } from '../../src/sdk/errors.js';
import { hkdf } from '../../src/sdk/hkdf.js';
import { makeLink, openLink } from '../../src/sdk/link.js';
import { assertCost } from '../../src/sdk/password-cost.js';
import { openSeal, seal } from '../../src/sdk/seal.js';
import {
  addNode,
  addRoot,
  attributesOf,
  failureOf,
  flipped,
  newPerson,
  newUuid,
  reopen,
  writersOf,
} from '../support/e2ee-world.js';

const context = { purpose: 'test', fields: ['here', 1] };

// Stands on the context of a seal, which is derived into its key (src/sdk/seal.ts, `derive`).
it('attack 1: wrapped keys cannot be swapped or mixed', async () => {
  const first = newMasterKey(newUuid());
  const second = newMasterKey(first.accountId, 2);
  const key = await passwordKey(randomBytes(64), first.accountId);
  const wrapped = await wrapMasterKey(first, 'password', key);
  expect(await unwrapMasterKey(wrapped, first, 'password', key)).toEqual(first);
  expect(await failureOf(unwrapMasterKey(wrapped, second, 'password', key))).toBe('wrong-key');
  expect(await failureOf(unwrapMasterKey(wrapped, first, 'recovery', key))).toBe('wrong-key');
  const settings = await sealForSelf(first, 'settings', { bytes: Uint8Array.of(1), revision: 1 });
  expect(await failureOf(openForSelf(first, 'settings', { bytes: settings, revision: 2 }))).toBe('damaged');
  expect(await failureOf(openForSelf(first, 'contacts', { bytes: settings, revision: 1 }))).toBe('damaged');
});

// Stands on the floor of `assertCost`, which is asked before anything is hashed.
describe('attack 4: a lowered cost of the password', () => {
  it('is refused by itself and in a link, before the password is touched', async () => {
    for (const lower of [{ memoryKib: 65_535 }, { iterations: 2 }, { parallelism: 0 }]) {
      const cost = { memoryKib: 65_536, iterations: 3, parallelism: 1, ...lower };
      expect(await failureOf(() => assertCost(cost))).toBe('weak-password-cost');
    }
    let hashed = 0;
    const hash = async (): Promise<Uint8Array<ArrayBuffer>> => {
      hashed += 1;
      return new Uint8Array(32);
    };
    const protection = { password: 'correct horse', hash };
    const [linkId, secret] = [newUuid(), randomBytes(32)];
    const owner = { accountId: newUuid(), verifyKeys: new Map<number, Uint8Array<ArrayBuffer>>() };
    const draft = { linkId, nodeId: newUuid(), kind: 'file', generation: 1, nodeKey: randomBytes(32), owner, secret } as const;
    const bytes = await makeLink({ ...draft, protection });
    expect((await openLink(bytes, { linkId, secret, protection })).nodeKey).toEqual(draft.nodeKey);
    expect(hashed).toBe(2);
    // Behind version, two ids, kind, generation, flag and salt: 65,536 KiB become 65,280.
    const cheaper = Uint8Array.from(bytes);
    cheaper.set([0, 0, 0xff, 0], 1 + 32 + 1 + 4 + 1 + 16);
    expect(await failureOf(openLink(cheaper, { linkId, secret, protection }))).toBe('weak-password-cost');
    expect(hashed).toBe(2);
  });
});

// Stands on the version byte that each format begins with: `FieldReader.format`, and `tryOpen` for seals.
it('attack 5: no other version of a format is read', async () => {
  const [linkId, secret] = [newUuid(), randomBytes(32)];
  const owner = { accountId: newUuid(), verifyKeys: new Map<number, Uint8Array<ArrayBuffer>>() };
  const link = await makeLink({
    linkId,
    nodeId: newUuid(),
    kind: 'file',
    generation: 1,
    nodeKey: randomBytes(32),
    owner,
    secret,
  });
  const key = randomBytes(32);
  const sealed = await seal(key, Uint8Array.of(1), context);
  for (let version = 0; version < 256; version += 1) {
    if (version === 1) continue;
    const [otherLink, otherSeal] = [Uint8Array.from(link), Uint8Array.from(sealed)];
    otherLink[0] = otherSeal[0] = version;
    expect(await failureOf(openLink(otherLink, { linkId, secret }))).toBe('unsupported-format');
    expect(await failureOf(openSeal(key, otherSeal, context))).toBe('unsupported-format');
  }
});

// Stands on `openSeal`, which says one thing whatever was wrong, and on errors without details.
it('attack 20: what fails to open tells nothing of why', async () => {
  const key = randomBytes(32);
  const sealed = await seal(key, randomBytes(40), context);
  const answers = new Set<string>();
  const ask = async (candidate: Uint8Array, by = key): Promise<void> => {
    const error: unknown = await openSeal(by, candidate, context).then(
      () => 'opened',
      (cause: unknown) => cause,
    );
    expect(error).toBeInstanceOf(SdkError);
    const { kind, message, cause } = error as SdkError;
    answers.add(JSON.stringify({ kind, message, hasCause: cause !== undefined }));
  };
  for (let at = 1; at < sealed.length; at += 1) await ask(flipped(sealed, at));
  for (let length = 1; length < sealed.length; length += 1) await ask(sealed.subarray(0, length));
  await ask(concat(sealed, Uint8Array.of(0)));
  await ask(sealed, randomBytes(32));
  expect(answers.size).toBe(1);
  // And of a whole record: everything but who signed it, which the server sees for itself.
  const alice = await newPerson('alice');
  const root = await addRoot(alice);
  const file = await addNode(alice, root.record, attributesOf('a.txt', 'file'));
  const kinds = new Set<string | undefined>();
  for (let at = 1; at < file.bytes.length; at += 7)
    kinds.add(await failureOf(reopen(file, flipped(file.bytes, at), writersOf(alice))));
  expect([...kinds].filter((kind) => kind !== 'not-yours')).toEqual(['damaged']);
});

// Stands on the commitment in front of each seal: AES-GCM by itself opens what is made here with both keys.
it('attack 23: one ciphertext does not open two ways', async () => {
  const [one, other] = [randomBytes(32), randomBytes(32)];
  const salt = randomBytes(24);
  const [a, b] = [await derived(one, salt), await derived(other, salt)];
  const cipher = collision(a, b);
  const forOne = concat(Uint8Array.of(1), salt, a.commitment, cipher);
  const forOther = concat(Uint8Array.of(1), salt, b.commitment, cipher);
  // The collision is real: with the commitment of either key it opens with that key.
  expect(await openSeal(one, forOne, context)).toHaveLength(16);
  expect(await openSeal(other, forOther, context)).toHaveLength(16);
  expect(await failureOf(openSeal(other, forOne, context))).toBe('damaged');
  expect(await failureOf(openSeal(one, forOther, context))).toBe('damaged');
});

it('a wrong password is told from a damaged wrap, and the recovery code opens the same', async () => {
  const master = newMasterKey(newUuid());
  const code = randomBytes(20);
  const wrapped = await wrapMasterKey(master, 'recovery', await recoveryKey(code, master.accountId));
  expect(await unwrapMasterKey(wrapped, master, 'recovery', await recoveryKey(code, master.accountId))).toEqual(master);
  const wrong = await recoveryKey(randomBytes(20), master.accountId);
  expect(await failureOf(unwrapMasterKey(wrapped, master, 'recovery', wrong))).toBe('wrong-key');
  const damaged = flipped(wrapped, wrapped.length - 1);
  const key = await recoveryKey(code, master.accountId);
  expect(await failureOf(unwrapMasterKey(damaged, master, 'recovery', key))).toBe('damaged');
});

interface Derived {
  readonly raw: Uint8Array;
  readonly iv: Uint8Array;
  readonly commitment: Uint8Array;
}

/** What `seal` derives, as docs/e2ee.md says it. */
async function derived(key: Uint8Array, salt: Uint8Array): Promise<Derived> {
  const bytes = await hkdf(key, salt, ['dcloud/e2ee/v1/seal', context.purpose, ...context.fields], 76);
  return { raw: bytes.slice(0, 32), iv: bytes.slice(32, 44), commitment: bytes.slice(44) };
}

/**
 * One block and one tag that authenticate under two keys. For one block C the tag is C·H² + L·H + E, so the C for which both tags are
 * equal is (L·(H₁ + H₂) + E₁ + E₂) / (H₁² + H₂²) in GF(2¹²⁸).
 */
function collision(a: Derived, b: Derived): Uint8Array<ArrayBuffer> {
  const [h1, h2] = [block(a.raw, new Uint8Array(16)), block(b.raw, new Uint8Array(16))];
  const [e1, e2] = [a, b].map(({ raw, iv }) => block(raw, concat(iv, Uint8Array.of(0, 0, 0, 1)))) as [bigint, bigint];
  const lengths = 128n; // no associated data, one block of 128 bits
  const cipher = multiply(multiply(lengths, h1 ^ h2) ^ e1 ^ e2, inverse(multiply(h1, h1) ^ multiply(h2, h2)));
  const tag = multiply(cipher, multiply(h1, h1)) ^ multiply(lengths, h1) ^ e1;
  return concat(toBytes(cipher), toBytes(tag));
}

function block(key: Uint8Array, input: Uint8Array): bigint {
  const cipher = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false);
  return BigInt(`0x${cipher.update(input).toString('hex')}`);
}

/** In the field of GCM, whose bits run from the left (NIST SP 800-38D, section 6.3). */
function multiply(x: bigint, y: bigint): bigint {
  let [product, factor] = [0n, y];
  for (let bit = 127n; bit >= 0n; bit -= 1n) {
    if ((x >> bit) & 1n) product ^= factor;
    factor = factor & 1n ? (factor >> 1n) ^ (0xe1n << 120n) : factor >> 1n;
  }
  return product;
}

/** x to the power of 2¹²⁸ - 2. */
function inverse(x: bigint): bigint {
  let [result, power] = [1n << 127n, x];
  for (let bit = 1; bit < 128; bit += 1) {
    power = multiply(power, power);
    result = multiply(result, power);
  }
  return result;
}

function toBytes(value: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(32, '0'), 'hex'));
}
