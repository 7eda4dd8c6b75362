import { describe, expect, it } from '@jest/globals';
import type { NewNode, SealedNode } from './drive-calls.js';
import { SdkError } from './errors.js';
import { NodeBatches } from './node-batches.js';

const signal = new AbortController().signal;

function node(number: number, bytes = 100): NewNode {
  return { record: Uint8Array.of(number, number >> 8), content: new Uint8Array(bytes) };
}

function numberOf({ record }: NewNode): number {
  return (record[0] as number) + 256 * (record[1] as number);
}

function made(given: NewNode): SealedNode {
  return { id: String(numberOf(given)), owner: 'owner', record: given.record, content: undefined, etag: '' };
}

/** A server that answers when it is let. */
class Making {
  /** Numbers of each request. */
  readonly requests: number[][] = [];
  underWay = 0;
  most = 0;
  answer: (nodes: readonly NewNode[]) => readonly (SealedNode | SdkError)[] = (nodes) => nodes.map(made);
  readonly batches = new NodeBatches<NewNode, SealedNode>({
    bytesOf: ({ content }) => content!.length,
    one: async (given) => {
      await this.request([given]);
      return made(given);
    },
    several: async (nodes) => {
      await this.request(nodes);
      return this.answer(nodes);
    },
  });

  make(count: number, bytes?: number, by = signal): Promise<PromiseSettledResult<SealedNode>[]> {
    return Promise.allSettled(Array.from({ length: count }, (_, at) => this.batches.make(node(at, bytes), by)));
  }

  private async request(nodes: readonly NewNode[]): Promise<void> {
    this.requests.push(nodes.map(numberOf));
    this.most = Math.max(this.most, (this.underWay += 1));
    await new Promise((resolve) => setTimeout(resolve, 1));
    this.underWay -= 1;
  }
}

const sizes = (requests: readonly (readonly number[])[]): number[] => requests.map(({ length }) => length);

describe('nodes that are made at the same time', () => {
  it('go in few requests, two at a time, and each hears of its own', async () => {
    const making = new Making();
    const results = await making.make(100);
    expect(results.map((result) => (result as PromiseFulfilledResult<SealedNode>).value.id)).toEqual(
      Array.from({ length: 100 }, (_, at) => String(at)),
    );
    expect([sizes(making.requests), making.most]).toEqual([[1, 1, 32, 32, 32, 2], 2]);
  });

  it('wait a moment for others if others came with the last ones, and else not at all', async () => {
    const making = new Making();
    await making.make(10);
    expect(sizes(making.requests)).toEqual([1, 1, 8]);
    // The first of eight comes, and the others while it waits.
    const first = making.batches.make(node(1), signal);
    await Promise.resolve();
    expect(making.underWay).toBe(0);
    await Promise.all([first, making.make(7)]);
    expect(sizes(making.requests)).toEqual([1, 1, 8, 8]);
    const before = performance.now();
    await making.make(1); // in vain
    expect(performance.now() - before).toBeGreaterThan(8);
    const alone = making.batches.make(node(1), signal);
    expect(making.underWay).toBe(1);
    await alone;
    expect(sizes(making.requests)).toEqual([1, 1, 8, 8, 1, 1]);
  });

  it('have a bounded size together', async () => {
    const making = new Making();
    await making.make(42, 48 * 1024);
    expect(sizes(making.requests)).toEqual([1, 1, 10, 10, 10, 10]);
    const large = new Making();
    await large.make(4, 600 * 1024);
    expect(sizes(large.requests)).toEqual([1, 1, 1, 1]);
  });

  it('go together only if one signal breaks them off', async () => {
    const making = new Making();
    await Promise.all([making.make(3), making.make(3, 100, new AbortController().signal)]);
    expect(sizes(making.requests)).toEqual([1, 1, 1, 1, 1, 1]);
  });

  it('fail each for itself, and one that the server had no time for is sent again', async () => {
    const making = new Making();
    const busy = new SdkError('unavailable', { code: 'too-busy' });
    making.answer = (nodes) =>
      nodes.map((given) => {
        if (numberOf(given) === 3) return new SdkError('exists', { code: 'name-taken' });
        return numberOf(given) === 4 ? busy : made(given);
      });
    const results = await making.make(6);
    expect(results.map(({ status }) => status)).toEqual([
      ...Array<string>(3).fill('fulfilled'),
      'rejected',
      'fulfilled',
      'fulfilled',
    ]);
    expect(results[3]).toMatchObject({ reason: { kind: 'exists' } });
    expect(making.requests).toEqual([[0], [1], [2, 3, 4, 5], [4]]);
  });

  it.each([[new SdkError('in-doubt')], ['a reason that is no error']])(
    'fail all with what their request fails with',
    async (reason) => {
      const making = new Making();
      making.answer = () => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- the reason of a signal is whatever the caller gave
        throw reason;
      };
      const results = await making.make(5);
      expect(results.slice(2)).toEqual([1, 2, 3].map(() => ({ status: 'rejected', reason })));
      expect((await making.make(1)).map(({ status }) => status)).toEqual(['fulfilled']);
    },
  );

  it('go alone to a server that knows no other way', async () => {
    const making = new Making();
    making.answer = () => {
      throw new SdkError('not-found');
    };
    for (const round of [1, 2]) {
      const results = await making.make(5 * round);
      expect(results.every(({ status }) => status === 'fulfilled')).toBe(true);
    }
    expect(making.requests.filter(({ length }) => length > 1)).toEqual([[2, 3, 4]]);
  });
});
