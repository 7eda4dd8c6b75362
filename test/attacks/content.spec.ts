import { describe, expect, it } from '@jest/globals';
import { concat, randomBytes, type Bytes, sha256 } from '../../src/sdk/bytes.js';
import { openPiece, piecesOf, sealPart, type SealedContent } from '../../src/sdk/content.js';
import { partAt, planParts } from '../../src/sdk/part-plan.js';
import { makeManifest, openManifest } from '../../src/sdk/revision-manifest.js';
import { assertSameSource, missingParts, openResumeState, sealResumeState } from '../../src/sdk/resume-state.js';
import { seal } from '../../src/sdk/seal.js';
import { assertSucceeds } from '../../src/sdk/succession.js';
import {
  addContent,
  addNode,
  addRoot,
  attributesOf,
  failureOf,
  flipped,
  newPerson,
  newUuid,
  spliced,
  stream,
  writersOf,
  type Person,
  type StoredContent,
  type StoredNode,
} from '../support/e2ee-world.js';

const SEGMENT = 65_536;
const PLAIN_SEGMENT = 65_504;
/** Four segments in two parts, with the padding. */
const plain = Uint8Array.from({ length: 200_000 }, (_, at) => (at * 31) % 251);

async function newFile(): Promise<{ alice: Person; file: StoredNode; stored: StoredContent }> {
  const alice = await newPerson('alice');
  const file = await addNode(alice, (await addRoot(alice)).record, attributesOf('a.bin', 'file'));
  return { alice, file, stored: await addContent(alice, file.record, plain, { segmentsPerPart: 2 }) };
}

/** Downloads all of a content from a server that has these bytes as its parts. */
async function download(
  stored: StoredContent,
  parts: readonly Uint8Array[],
  content: SealedContent = stored.content,
): Promise<Bytes> {
  const pieces: Uint8Array[] = [];
  for (const piece of piecesOf(content, { from: 0, to: content.trueSize })) {
    const sealed = stream(parts[piece.part]!.subarray(piece.fetch.from, piece.fetch.to));
    for await (const bytes of openPiece(stored.cipher, content, { piece, sealed })) pieces.push(bytes);
  }
  return concat(...pieces);
}

const bytesOf = (stored: StoredContent): Bytes[] => stored.sealed.map(({ bytes }) => bytes);
const segment = (part: Uint8Array, at: number): Uint8Array => part.subarray(at * SEGMENT, (at + 1) * SEGMENT);

describe('attack 7: turned bits', () => {
  // Stands on the refusal of segments that do not authenticate (src/crypto/web-floe-opener.ts).
  it('in content', async () => {
    const { stored } = await newFile();
    const [first, second] = bytesOf(stored) as [Bytes, Bytes];
    expect(await download(stored, [first, second])).toEqual(plain);
    for (let at = 0; at < first.length; at += 4_099)
      expect(await failureOf(download(stored, [flipped(first, at, at % 8), second]))).toBe('damaged');
  });

  // Stands on the signature of the manifest, which alone covers what is not sealed in it.
  it('in a manifest', async () => {
    const { alice, file, stored } = await newFile();
    const expected = { nodeId: file.record.nodeId, writers: writersOf(alice) };
    expect((await openManifest(stored.manifest, file.record.keys, expected)).trueSize).toBe(plain.length);
    for (let at = 0; at < stored.manifest.length; at += 1) {
      const turned = flipped(stored.manifest, at, at % 8);
      expect(await failureOf(openManifest(turned, file.record.keys, expected))).toBeDefined();
    }
  });
});

describe('attack 8: segments swapped, repeated, cut off or added', () => {
  // Stands on the position in a segment's associated data (src/crypto/floe-format.ts, `segmentAad`).
  it('swapped or repeated, in a part and between parts', async () => {
    const { stored } = await newFile();
    const [first, second] = bytesOf(stored) as [Bytes, Bytes];
    const large = await addContent(...(await owned(stored)), { segmentsPerPart: 4 });
    const [whole] = bytesOf(large) as [Bytes];
    const swapped = concat(segment(whole, 1), segment(whole, 0), whole.subarray(2 * SEGMENT));
    expect(await failureOf(download(large, [swapped]))).toBe('damaged');
    const repeated = concat(segment(whole, 0), segment(whole, 0), whole.subarray(2 * SEGMENT));
    expect(await failureOf(download(large, [repeated]))).toBe('damaged');
    expect(await failureOf(download(stored, [second, first]))).toBe('damaged');
  });

  // Stands on the sizes of the manifest: what comes must be as long as it says (src/crypto/open-stream.ts).
  it('cut off or added', async () => {
    const { stored } = await newFile();
    const [first, second] = bytesOf(stored) as [Bytes, Bytes];
    for (const cut of [second.subarray(0, SEGMENT), second.subarray(0, -1), new Uint8Array(0)])
      expect(await failureOf(download(stored, [first, cut]))).toBe('damaged');
    const piece = piecesOf(stored.content, { from: 0, to: 10 })[0]!;
    const more = stream(first.subarray(0, SEGMENT), segment(first, 0));
    expect(await failureOf(Array.fromAsync(openPiece(stored.cipher, stored.content, { piece, sealed: more })))).toBe('damaged');
  });
});

// Stands on node, revision and part in the associated data of a part (src/sdk/content.ts, `partAad`): the keys are alike here.
it('attack 9: segments of another file or revision', async () => {
  const { stored } = await newFile();
  const [alice, record] = await owned(stored);
  const contentKey = stored.cipher.contentKey;
  const other = await addContent(alice, record, plain, { contentKey, segmentsPerPart: 2 });
  expect(await download(other, bytesOf(other))).toEqual(plain);
  const foreign = { ...stored.content, parts: other.content.parts };
  expect(await failureOf(download(stored, bytesOf(other), foreign))).toBe('damaged');
  const swapped = { ...stored.content, parts: stored.content.parts.toReversed() };
  expect(await failureOf(download(stored, bytesOf(stored).toReversed(), swapped))).toBe('damaged');
});

// Stands on the header that each attempt draws anew (src/crypto/web-floe-sealer.ts), and that the manifest names.
it('attack 10: two attempts to upload one part do not mix', async () => {
  const { stored } = await newFile();
  const span = partAt(stored.content.plan, 0);
  const source = stream(new Uint8Array(span.plain.to));
  const again = await sealPart(stored.cipher, span, { source, trueSize: plain.length });
  const [first, second] = bytesOf(stored) as [Bytes, Bytes];
  const mixed = spliced(first, SEGMENT, segment(again.bytes, 1));
  expect(await failureOf(download(stored, [mixed, second]))).toBe('damaged');
  expect(await failureOf(download(stored, [again.bytes, second]))).toBe('damaged');
});

describe('attack 15: a manifest rolled back or forged', () => {
  // Stands on `assertSucceeds`.
  it('what was seen is not taken back', async () => {
    const { alice, file, stored } = await newFile();
    const expected = { nodeId: file.record.nodeId, writers: writersOf(alice) };
    const first = await openManifest(stored.manifest, file.record.keys, expected);
    const next = await addContent(alice, file.record, plain, { revision: 2, previousHash: first.hash });
    const second = await openManifest(next.manifest, file.record.keys, expected);
    assertSucceeds(undefined, first);
    assertSucceeds(first, first);
    assertSucceeds(first, second);
    expect(await failureOf(() => assertSucceeds(second, first))).toBe('rolled-back');
    expect(await failureOf(() => assertSucceeds({ ...first, hash: randomBytes(32) }, first))).toBe('rolled-back');
    expect(await failureOf(() => assertSucceeds({ ...first, hash: randomBytes(32) }, second))).toBe('rolled-back');
  });

  // Stands on `isUnderOlderKeys` (src/sdk/succession.ts): the signature counts, and the one who made it has the older key.
  it('nothing goes on under keys that somebody was meant to lose', async () => {
    const { alice, file } = await newFile();
    const keys = file.record.keys.next();
    const renewed = { ...file.record, keys };
    const first = await addContent(alice, renewed, plain);
    const expected = { nodeId: file.record.nodeId, writers: writersOf(alice) };
    const seen = await openManifest(first.manifest, keys, expected);
    const back = await addContent(alice, file.record, plain, { revision: 2, previousHash: seen.hash });
    const older = await openManifest(back.manifest, keys, expected);
    expect([seen.generation, older.generation]).toEqual([2, 1]);
    expect(await failureOf(() => assertSucceeds(seen, older))).toBe('rolled-back');

    const state = { ...seen, parentId: newUuid(), parentGeneration: 2 };
    const next = { ...state, revision: 2, hash: randomBytes(32), previousHash: seen.hash };
    assertSucceeds(state, next);
    assertSucceeds(state, { ...next, parentId: newUuid(), parentGeneration: 1 }); // moved: keys of another folder
    expect(await failureOf(() => assertSucceeds(state, { ...next, parentGeneration: 1 }))).toBe('rolled-back');
    expect(await failureOf(() => assertSucceeds(state, { ...next, generation: 1 }))).toBe('rolled-back');
  });

  // Stands on the signature: a reader has the node's key and can seal, but not sign.
  it('a reader cannot make one in the owner’s name', async () => {
    const { alice, file, stored } = await newFile();
    const mallory = await newPerson('mallory');
    const expected = { nodeId: file.record.nodeId, writers: writersOf(alice) };
    const honest = await openManifest(stored.manifest, file.record.keys, expected);
    const forged = await makeManifest({ ...honest, revision: 2 }, file.record.keys, mallory.identity.signer);
    expect(await failureOf(openManifest(forged, file.record.keys, expected))).toBe('damaged');
    const own = await makeManifest({ ...honest, writer: mallory.writer }, file.record.keys, mallory.identity.signer);
    expect(await failureOf(openManifest(own, file.record.keys, expected))).toBe('not-yours');
  });

  // Stands on `isVouched` (src/sdk/revision-manifest.ts): not for the owner's name, and for no other bytes.
  it('a past that somebody vouches for is theirs, and never the owner’s', async () => {
    const { alice, file, stored } = await newFile();
    const mallory = await newPerson('mallory');
    const expected = { nodeId: file.record.nodeId, writers: writersOf(alice) };
    const honest = await openManifest(stored.manifest, file.record.keys, expected);
    const guest = await makeManifest({ ...honest, writer: mallory.writer }, file.record.keys, mallory.identity.signer);
    const vouched = await sha256(guest);
    const opened = await openManifest(guest, file.record.keys, { ...expected, vouched });
    expect([opened.writer, opened.hash]).toEqual([mallory.writer, vouched]);
    const other = { ...expected, vouched: randomBytes(32) };
    expect(await failureOf(openManifest(guest, file.record.keys, other))).toBe('not-yours');
    for (const [bundleVersion, failure] of [
      [honest.writer.bundleVersion, 'damaged'],
      [99, 'not-yours'],
    ] as const) {
      const draft = { ...honest, writer: { ...honest.writer, bundleVersion } };
      const forged = await makeManifest(draft, file.record.keys, mallory.identity.signer);
      const asOwner = { ...expected, vouched: await sha256(forged) };
      expect(await failureOf(openManifest(forged, file.record.keys, asOwner))).toBe(failure);
    }
  });
});

describe('attack 21: no nonce is used twice after a retry', () => {
  // Stands on the IV that each segment draws anew (src/crypto/web-floe-sealer.ts) and the salt of each seal (src/sdk/seal.ts).
  it('by sealing the same part again, or another one in its place', async () => {
    const { stored } = await newFile();
    const span = partAt(stored.content.plan, 0);
    const nonces = new Set<string>();
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const source = stream(new Uint8Array(span.plain.to).fill(attempt));
      const { header, bytes } = await sealPart(stored.cipher, span, { source, trueSize: plain.length });
      nonces.add(`header ${Buffer.from(header).toString('hex')}`);
      for (const at of [0, 1]) nonces.add(Buffer.from(segment(bytes, at).subarray(4, 16)).toString('hex'));
    }
    expect(nonces.size).toBe(15);
    const key = randomBytes(32);
    const salts = new Set<string>();
    for (let attempt = 0; attempt < 20; attempt += 1) {
      const sealed = await seal(key, Uint8Array.of(attempt), { purpose: 'test', fields: [] });
      salts.add(Buffer.from(sealed.subarray(1, 25)).toString('hex'));
    }
    expect(salts.size).toBe(20);
  });

  // Stands on `assertSameSource` and `missingParts` (src/sdk/resume-state.ts).
  it('a resumed upload goes on with the same file only, and seals only what the server does not hold', async () => {
    const { alice, stored } = await newFile();
    const source = { size: plain.length, modifiedAtMs: 1_700_000_000_000, fingerprint: randomBytes(32) };
    const { ids, contentKey } = stored.cipher;
    const [part0] = stored.sealed as [(typeof stored.sealed)[number]];
    const sealedParts = new Map([[0, { header: part0.header, digest: part0.digest }]]);
    const state = { ...ids, uploadId: newUuid(), contentKey, source, plan: stored.content.plan, sealedParts };
    const sealed = await sealResumeState(alice.master, state);
    const opened = await openResumeState(alice.master, sealed, state.uploadId);
    expect(opened).toEqual(state);
    expect(await failureOf(openResumeState(alice.master, sealed, newUuid()))).toBe('damaged');
    assertSameSource(opened, source);
    for (const change of [{ size: 1 }, { modifiedAtMs: 1 }, { fingerprint: randomBytes(32) }])
      expect(await failureOf(() => assertSameSource(opened, { ...source, ...change }))).toBe('source-changed');
    expect(missingParts(opened, new Map([[0, part0.digest]]))).toEqual([1]);
    expect(missingParts(opened, new Map([[0, randomBytes(32)]]))).toEqual([0, 1]);
    expect(missingParts(opened, new Map([[1, randomBytes(32)]]))).toEqual([0, 1]);
  });

  it('a file that shrinks or grows while it is sealed is refused', async () => {
    const { stored } = await newFile();
    const span = partAt(planParts(1_000), 0);
    for (const size of [999, 1_001]) {
      const source = stream(new Uint8Array(size));
      expect(await failureOf(sealPart(stored.cipher, span, { source, trueSize: 1_000 }))).toBe('source-changed');
    }
  });
});

/** Another owner's arguments for `addContent` with a node of the same id as the stored content's. */
async function owned({ cipher }: StoredContent): Promise<[Person, StoredNode['record'], Uint8Array]> {
  const alice = await newPerson('alice');
  const { record } = await addRoot(alice);
  return [alice, { ...record, nodeId: cipher.ids.nodeId }, plain.subarray(0, 3 * PLAIN_SEGMENT)];
}
