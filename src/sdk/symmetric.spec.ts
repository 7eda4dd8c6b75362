import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { concat, sha256, type Bytes } from './bytes.js';
import { nodeSigner } from './node-signer.js';
import { nodeSymmetric } from './node-symmetric.js';
import { openSeal, seal } from './seal.js';
import { webSigner } from './signature.js';
import { useSymmetric, webSymmetric } from './symmetric.js';

const bytes = (length?: number): fc.Arbitrary<Bytes> =>
  fc
    .uint8Array(length === undefined ? { maxLength: 300 } : { minLength: length, maxLength: length })
    .map((some) => Uint8Array.from(some));
const runs = { numRuns: 50 };

describe('node:crypto and Web Crypto', () => {
  afterEach(() => useSymmetric(webSymmetric));

  it('derive, tag and hash the same', async () => {
    await fc.assert(
      fc.asyncProperty(bytes(32), bytes(), bytes(), async (key, salt, text) => {
        expect(await nodeSymmetric.hkdf(key, salt, text, 76)).toEqual(await webSymmetric.hkdf(key, salt, text, 76));
        expect(await nodeSymmetric.hmac(key, text)).toEqual(await webSymmetric.hmac(key, text));
        expect(await nodeSymmetric.sha256(text)).toEqual(await webSymmetric.sha256(text));
      }),
      runs,
    );
    const large = new Uint8Array(100_000).fill(7);
    expect(await nodeSymmetric.sha256(large)).toEqual(await webSymmetric.sha256(large));
  });

  it('sign the same with the same key', async () => {
    await fc.assert(
      fc.asyncProperty(bytes(32), bytes(), async (seed, text) => {
        const [node, web] = [await nodeSigner(seed), await webSigner(seed)];
        expect(node.verifyKey).toEqual(web.verifyKey);
        expect(await node.sign(text)).toEqual(await web.sign(text));
      }),
      runs,
    );
  });

  it('open what the other one sealed, and refuse the same', async () => {
    await fc.assert(
      fc.asyncProperty(bytes(32), bytes(12), bytes(), fc.nat(), async (key, iv, plain, at) => {
        const sealed = await nodeSymmetric.encrypt(key, iv, plain);
        expect(sealed).toEqual(await webSymmetric.encrypt(key, iv, plain));
        const turned = Uint8Array.from(sealed);
        turned[at % sealed.length]! ^= 1;
        for (const symmetric of [nodeSymmetric, webSymmetric]) {
          expect(await symmetric.decrypt(key, iv, sealed)).toEqual(plain);
          expect(await symmetric.decrypt(key, iv, turned)).toBeUndefined();
        }
      }),
      runs,
    );
  });

  it('are chosen for the whole process, and seals of one open with the other', async () => {
    const [key, where] = [new Uint8Array(32).fill(9), { purpose: 'test', fields: [1] }];
    const byWeb = await seal(key, Uint8Array.of(1, 2, 3), where);
    let hashed = 0;
    useSymmetric({
      ...nodeSymmetric,
      sha256: (some) => {
        hashed += 1;
        return nodeSymmetric.sha256(some);
      },
    });
    expect(await openSeal(key, byWeb, where)).toEqual(Uint8Array.of(1, 2, 3));
    const byNode = await seal(key, byWeb, where);
    await sha256(concat(byNode));
    expect(hashed).toBe(1);
    useSymmetric(webSymmetric);
    expect(await openSeal(key, byNode, where)).toEqual(byWeb);
  });
});
