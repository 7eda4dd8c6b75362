/**
 * Runs in the page of `npm run bench:browser`: seals a part of 16 MiB after the other, three at a time as an upload does, and beside it the same
 * bytes by WebCrypto's AES-GCM alone, in pieces of the same length.
 */
import { randomBytes } from '../../src/sdk/bytes.js';
import { sealPart } from '../../src/sdk/content.js';
import { partAt, planParts } from '../../src/sdk/part-plan.js';
import { webFloe } from '../../src/sdk/web-floe-back-end.js';

const PIECE_BYTES = 65_504;
const WIDTH = 3;

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}

/** Runs the work on as many parts as there are, a few at a time. @returns MB of plaintext a second */
async function speed(parts: number, bytes: number, work: (part: number) => Promise<unknown>): Promise<number> {
  const started = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < parts) await work(next++);
  };
  await Promise.all(Array.from({ length: WIDTH }, worker));
  return bytes / 1e6 / ((performance.now() - started) / 1000);
}

/** One pair. @returns MB/s of the product, and of the floor */
export async function pair(mib: number): Promise<readonly [number, number]> {
  const trueSize = mib * 2 ** 20;
  const plan = planParts(trueSize);
  const parts = Math.ceil(plan.paddedSize / (plan.segmentsPerPart * PIECE_BYTES));
  const plain = new Uint8Array(plan.segmentsPerPart * PIECE_BYTES).fill(7);
  const ids = { nodeId: crypto.randomUUID(), revisionId: crypto.randomUUID() };
  const cipher = { ids, contentKey: randomBytes(32), floe: webFloe };
  const product = await speed(parts, trueSize, (part) => {
    const span = partAt(plan, part);
    const bytes = Math.max(0, Math.min(span.plain.to, trueSize) - span.plain.from);
    return sealPart(cipher, span, { source: only(plain.subarray(0, bytes)), trueSize });
  });
  const key = await crypto.subtle.importKey('raw', randomBytes(32), 'AES-GCM', false, ['encrypt']);
  const floor = await speed(parts, trueSize, async (part) => {
    const { from, to } = partAt(plan, part).plain;
    const sealed: Promise<ArrayBuffer>[] = [];
    for (let at = 0; at < to - from; at += PIECE_BYTES) {
      const piece = plain.subarray(at, Math.min(at + PIECE_BYTES, to - from));
      sealed.push(crypto.subtle.encrypt({ name: 'AES-GCM', iv: randomBytes(12) }, key, piece));
    }
    await Promise.all(sealed);
  });
  return [product, floor];
}

Object.assign(globalThis, { pair });
