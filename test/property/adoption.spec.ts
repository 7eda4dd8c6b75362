import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { Placement } from '../../src/placement/placement.js';
import { NodeWriter } from '../../src/redundancy/node-writer.js';
import { putStripes } from '../../src/redundancy/put-stripes.js';
import { StripeStore } from '../../src/redundancy/stripe-store.js';
import type { AdoptedStripes, VersionWriter } from '../../src/redundancy/version-writer.js';
import { WriteLedger } from '../../src/redundancy/write-ledger.js';
import { Cluster, stream } from '../support/cluster.js';

const NEVER = new AbortController().signal;
const SLICE = 100;
const NODES = [1, 2, 3, 4, 5];

describe('stripes that another process stores', () => {
  let cluster: Cluster;

  beforeEach(async () => {
    cluster = await Cluster.make({ nodes: NODES.length, redundancy: 1, sliceBytes: SLICE });
  });

  afterEach(() => cluster.remove());

  const counts = (): readonly number[] => NODES.map((node) => cluster.placement.files(node));

  /** What the other process does, with the counts that it was given. */
  async function storeElsewhere(
    slices: readonly Uint8Array[],
    files: ReadonlyMap<number, number>,
    { versionId, shape }: VersionWriter,
  ): Promise<AdoptedStripes> {
    const placement = new Placement();
    for (const [node, count] of files) placement.restore(node, count);
    const stripes = new StripeStore(cluster.registry, placement, new NodeWriter(cluster.registry, 1000));
    const ledger = new WriteLedger();
    const source = { versionId, shape, codec: cluster.codec, batchBytes: 3 * SLICE };
    const copies = slices.map((bytes) => Uint8Array.from(bytes));
    await Array.fromAsync(putStripes(stream([copies]), { stripes, ledger, source, width: 2 }, NEVER));
    return { rows: ledger.take(), strays: ledger.strays.map(({ node, shard }) => ({ node, ...shard })) };
  }

  const lengthOf = (slices: readonly Uint8Array[]) => (stripe: number) => slices[stripe]?.length ?? 0;

  it('count from the moment at which they are reserved, once, and are a file like any other', async () => {
    await cluster.store([randomBytes(SLICE), randomBytes(SLICE), randomBytes(30)]);
    const slices = [...Array.from({ length: 7 }, () => randomBytes(SLICE)), randomBytes(40)];
    const writer = cluster.writer();
    const files = await writer.reserve(slices.length);
    const reserved = counts();
    expect(reserved.reduce((sum, count) => sum + count, 0)).toBe(6 + 16);
    expect(Math.max(...reserved) - Math.min(...reserved)).toBeLessThanOrEqual(1);
    const stored = await storeElsewhere(slices, files, writer);
    await writer.adopt(stored, lengthOf(slices), NEVER);
    expect(counts()).toEqual(reserved);
    expect(writer.usage().reduce((sum, { bytes }) => sum + bytes, 0)).toBe(2 * (7 * SLICE + 40));
    const manifest = await cluster.commit(writer, slices);
    expect(await cluster.read(manifest)).toEqual(Buffer.concat(slices));
  });

  it('are as even as in one process, also if several are on their way at once', async () => {
    const writers = await Promise.all(
      [5, 3, 9].map(async (stripes) => {
        const writer = cluster.writer();
        return {
          writer,
          files: await writer.reserve(stripes),
          slices: Array.from({ length: stripes }, () => randomBytes(SLICE)),
        };
      }),
    );
    for (const { writer, files, slices } of writers)
      await writer.adopt(await storeElsewhere(slices, files, writer), lengthOf(slices), NEVER);
    expect(Math.max(...counts()) - Math.min(...counts())).toBeLessThanOrEqual(1);
  });

  it('count no more, and are garbage, when nothing becomes of them', async () => {
    const slices = [randomBytes(SLICE), randomBytes(SLICE)];
    const writer = cluster.writer();
    const stored = await storeElsewhere(slices, await writer.reserve(5), writer);
    await writer.adopt(stored, lengthOf(slices), NEVER);
    await writer.abandon(NEVER);
    expect(counts()).toEqual([0, 0, 0, 0, 0]);
    const garbage = await Array.fromAsync(cluster.metadata.garbage(NEVER));
    expect(garbage.map(({ versionId }) => versionId)).toEqual([writer.versionId]);
    expect([...(garbage[0]?.nodes ?? [])].sort()).toEqual([...new Set(stored.rows.flat())].sort());
  });

  it('count no more when nobody says what became of them', async () => {
    const writer = cluster.writer();
    await writer.reserve(2500); // more than are reserved in one turn
    expect(counts()).toEqual([1000, 1000, 1000, 1000, 1000]);
    await writer.abandon(NEVER);
    expect(counts()).toEqual([0, 0, 0, 0, 0]);
    expect(await Array.fromAsync(cluster.metadata.garbage(NEVER))).toEqual([]);
  });

  it.each([true, false])(
    'are no file if one of their nodes has got another disk by then (stored elsewhere: %p)',
    async (isElsewhere) => {
      const slices = [randomBytes(SLICE), randomBytes(SLICE)];
      const [writer, unharmed] = [cluster.writer(), cluster.writer()];
      if (isElsewhere) await writer.adopt(await storeElsewhere(slices, await writer.reserve(2), writer), lengthOf(slices), NEVER);
      else await writer.write(stream([slices.map((bytes) => Uint8Array.from(bytes))]), 2, NEVER);
      await unharmed.write(stream([[randomBytes(SLICE)]]), 1, NEVER);
      const others = new Set(unharmed.usage().map(({ node }) => node));
      const replaced = writer.usage().find(({ node }) => !others.has(node))!.node;
      await cluster.registry.retire(replaced);
      await expect(cluster.commit(writer, slices)).rejects.toMatchObject({ code: 'not-enough-nodes' });
      cluster.registry.add(cluster.faulty[replaced - 1]!);
      cluster.registry.setState(replaced, 'up', {});
      await expect(cluster.commit(writer, slices)).rejects.toMatchObject({ code: 'not-enough-nodes' });
      await writer.abandon(NEVER);
      await cluster.commit(unharmed, [randomBytes(SLICE)]);
      await cluster.store(slices); // it is a node like the others from then on
    },
  );
});
