import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BodyDigest } from './body-digest.js';
import { DigestThread } from './digest-thread.js';

const KiB = 1024;
const MiB = 1024 * KiB;

/** As Node.js runs it: it has types to strip, and nothing else. */
const thread = (): DigestThread => new DigestThread(() => pathToFileURL(join(__dirname, 'digest-worker.ts')));

function piece(bytes: number, seed: number): Uint8Array {
  return Buffer.alloc(bytes, `piece ${seed}`);
}

function expected(lengths: readonly number[]): string {
  const hash = createHash('sha256');
  for (const [at, length] of lengths.entries()) hash.update(piece(length, at));
  return hash.digest('hex');
}

async function sumOf(digest: BodyDigest, lengths: readonly number[]): Promise<string> {
  for (const [at, length] of lengths.entries()) {
    await digest.busy;
    digest.take(piece(length, at));
  }
  return Buffer.from(await digest.sum()).toString('hex');
}

describe('the digest of a body', () => {
  it('is that of its bytes, wherever it is made and however they come', async () => {
    const shared = thread();
    const lengths = fc.array(fc.oneof(fc.nat(100), fc.nat(300 * KiB), fc.constant(64 * KiB)), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(lengths, fc.boolean(), async (pieces, isThread) => {
        expect(await sumOf(new BodyDigest({ thread: isThread ? shared : null }), pieces)).toBe(expected(pieces));
      }),
      { numRuns: 60 },
    );
  });

  it('is kept apart from those of others that are made at the same time', async () => {
    const shared = thread();
    const all = Array.from({ length: 8 }, (_, at) => Array.from({ length: 30 + at }, () => 100 * KiB + at));
    const sums = await Promise.all(all.map((lengths) => sumOf(new BodyDigest({ thread: shared }), lengths)));
    expect(sums).toEqual(all.map(expected));
  });

  it('takes only so much in advance', async () => {
    const digest = new BodyDigest({ thread: thread() });
    let taken = 0;
    for (; digest.busy === undefined && taken < 100 * MiB; taken += MiB) digest.take(piece(MiB, 0));
    expect(taken).toBeLessThan(20 * MiB);
    await digest.busy;
    expect(digest.busy).toBeUndefined();
    await digest.sum();
  });

  it('does not let many slivers pile up', async () => {
    const digest = new BodyDigest({ thread: thread() });
    const slivers = Array.from({ length: 2000 }, (_, at) => Uint8Array.of(at % 256));
    for (const sliver of slivers) digest.take(sliver);
    expect(slivers.filter(({ length }) => length > 0).length).toBeLessThanOrEqual(300);
    expect(Buffer.from(await digest.sum()).toString('hex')).toBe(
      createHash('sha256')
        .update(Uint8Array.from({ length: 2000 }, (_, at) => at % 256))
        .digest('hex'),
    );
  });

  it('does not let a piece be used that it took over', () => {
    const digest = new BodyDigest({ thread: thread() });
    const large = new Uint8Array(2 * MiB);
    digest.take(large);
    expect(large).toHaveLength(0);
    digest.drop();
  });

  it('leaves what it may not let go of', async () => {
    const whole = Buffer.from('at hand');
    const digest = new BodyDigest({ letGo: () => undefined });
    digest.take(whole);
    await digest.sum();
    expect(whole.toString()).toBe('at hand');
  });
});

describe('a thread that ends', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'digest-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('fails the bodies that it had, and none that begins later', async () => {
    const broken = join(directory, 'broken.cjs');
    const whole = join(__dirname, 'digest-worker.ts');
    writeFileSync(
      broken,
      "const { parentPort } = require('node:worker_threads'); parentPort.once('message', ({ id }) => { parentPort.postMessage({ id, bytes: 0 }); setImmediate(() => process.exit(1)); });",
    );
    const programs = [broken, whole];
    const shared = new DigestThread(() => pathToFileURL(programs.shift() ?? whole));
    const lengths = [2 * MiB, 2 * MiB];
    const digest = new BodyDigest({ thread: shared });
    digest.take(piece(2 * MiB, 0));
    await expect(digest.sum()).rejects.toThrow('the thread that digests bodies ended');
    expect(() => digest.take(piece(2 * MiB, 0))).toThrow('the thread that digests bodies ended');
    digest.drop();
    expect(await sumOf(new BodyDigest({ thread: shared }), lengths)).toBe(expected(lengths));
  });

  it('is not needed where none can run', async () => {
    const shared = new DigestThread(() => pathToFileURL(join(directory, 'not there.mjs')));
    const lengths = [2 * MiB, 2 * MiB];
    await expect(sumOf(new BodyDigest({ thread: shared }), lengths)).rejects.toThrow('the thread that digests bodies ended');
    expect(await sumOf(new BodyDigest({ thread: shared }), lengths)).toBe(expected(lengths));
  });
});
