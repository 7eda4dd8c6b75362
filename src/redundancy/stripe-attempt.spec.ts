import { describe, expect, it } from '@jest/globals';
import { newId, type VersionId } from '../common/ids.js';
import { NodeError } from '../nodes/storage-node.js';
import { StripeAttempt } from './stripe-attempt.js';
import { StripeCodec, type StripeShape } from './stripe-codec.js';

/** Stands for any code in which two shards of four are enough; the arithmetic is another test's. */
class AnyTwoCodec extends StripeCodec {
  override encode(): readonly Uint8Array[] {
    return [];
  }

  override decode(shards: ReadonlyMap<number, Uint8Array>, _: StripeShape, wanted: readonly number[]): readonly Uint8Array[] {
    if (shards.size < 2) throw new RangeError('too few shards');
    return wanted.map((index) => SHARDS[index]!);
  }
}

const A = Uint8Array.of(1, 1);
const B = Uint8Array.of(2, 2);
const SHARDS = [A, B, B, A];
const GONE = new NodeError('unavailable', 'gone');
const LOST = new NodeError('not-found', 'lost');

function attempt(wanted: readonly number[], avoid: readonly number[] = []): StripeAttempt {
  return new StripeAttempt({
    versionId: newId<VersionId>(),
    stripe: 7,
    nodes: [11, 12, 13, 14],
    shape: { k: 2, m: 2 },
    wanted,
    lengthOf: () => 2,
    avoid: new Set(avoid),
  });
}

/** Runs an attempt to its end while these nodes fail; returns the indices asked for in each round. */
function run(subject: StripeAttempt, failing: ReadonlyMap<number, NodeError>): readonly (readonly number[])[] {
  const rounds: number[][] = [];
  for (;;) {
    const asks = subject.nextAsks((nodes) => nodes);
    if (asks.length === 0) return rounds;
    rounds.push(asks.map(({ index }) => index));
    for (const { index } of asks) subject.answer(index, failing.get(subject.nodeOf(index)) ?? SHARDS[index]!);
  }
}

describe('the reading of a stripe with k = 2 and m = 2', () => {
  it('asks for the wanted data shards alone when all is well', () => {
    const both = attempt([0, 1]);
    expect(run(both, new Map())).toEqual([[0, 1]]);
    expect(both.decode(new AnyTwoCodec())).toEqual([A, B]);
    const second = attempt([1]);
    expect(run(second, new Map())).toEqual([[1]]);
    expect(second.decode(new AnyTwoCodec())).toEqual([B]);
  });

  it('takes no more of a shard than it must have, and a byte that tells it is longer', () => {
    const asks = attempt([0, 1]).nextAsks((nodes) => nodes);
    expect(asks.map(({ index, length }) => [index, length])).toEqual([
      [0, 3],
      [1, 3],
    ]);
  });

  it('gets the data from any two shards', () => {
    for (const gone of [[11], [12], [11, 12], [11, 13], [12, 14], [13, 14]]) {
      const subject = attempt([0, 1]);
      run(subject, new Map(gone.map((node) => [node, GONE])));
      expect(subject.decode(new AnyTwoCodec())).toEqual([A, B]);
    }
  });

  it('never asks a node that is to be left out', () => {
    const subject = attempt([0, 1], [11, 12]);
    expect(run(subject, new Map()).flat().sort()).toEqual([2, 3]);
  });

  it('takes a shard of another length for damaged', () => {
    const subject = attempt([0]);
    subject.nextAsks((nodes) => nodes);
    expect(subject.answer(0, Uint8Array.of(1))).toMatchObject({ kind: 'corrupt' });
  });

  it('tells what waiting may help from what is lost for good', () => {
    const nodes = [11, 12, 13];
    expect(() => run(attempt([0, 1]), new Map(nodes.map((node) => [node, LOST])))).toThrow(
      expect.objectContaining({ code: 'data-damaged' }),
    );
    expect(() => run(attempt([0, 1]), new Map(nodes.map((node, at) => [node, at === 0 ? GONE : LOST])))).toThrow(
      expect.objectContaining({ code: 'data-unavailable' }),
    );
  });

  it('asks for as many more as are late, once, and takes whatever k come first', () => {
    const rank = (nodes: readonly number[]): readonly number[] => nodes;
    const subject = attempt([0, 1]);
    expect(subject.nextAsks(rank).map(({ index }) => index)).toEqual([0, 1]);
    expect(subject.nextAsks(rank)).toEqual([]); // those under way are enough
    expect(subject.hedgeAsks([0], rank).map(({ index }) => index)).toEqual([2]);
    expect(subject.hedgeAsks([0], rank)).toEqual([]);
    expect(subject.answer(1, LOST)).toBe(LOST);
    expect(subject.nextAsks(rank).map(({ index }) => index)).toEqual([3]);
    subject.answer(0, A); // late, and yet first
    expect(subject.isComplete).toBe(false);
    subject.answer(3, SHARDS[3]);
    expect(subject.isComplete).toBe(true);
    expect(subject.decode(new AnyTwoCodec())).toEqual([A, B]);
  });

  it('waits for what is late when nobody else can be asked, and is lost only when that has failed too', () => {
    const rank = (nodes: readonly number[]): readonly number[] => nodes;
    const subject = attempt([0, 1], [13, 14]);
    subject.nextAsks(rank);
    expect(subject.hedgeAsks([0, 1], rank)).toEqual([]);
    subject.answer(0, A);
    expect(subject.nextAsks(rank)).toEqual([]);
    subject.answer(1, GONE);
    expect(() => subject.nextAsks(rank)).toThrow(expect.objectContaining({ code: 'data-unavailable' }));
  });
});
