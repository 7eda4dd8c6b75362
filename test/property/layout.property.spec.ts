import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Manifest } from '../../src/metadata/metadata-store.js';
import { LayoutReader } from '../../src/redundancy/layout-reader.js';
import { STRIPES_PER_PAGE } from '../../src/redundancy/layout.js';
import { Cluster, NEVER, stream } from '../support/cluster.js';

/** A file of 1 GiB in slices of 1,024 bytes. */
const SLICES = 1_048_576;

let cluster: Cluster;
let manifest: Manifest;

beforeAll(async () => {
  cluster = await Cluster.make({ nodes: 4, redundancy: 1, sliceBytes: 1 });
  for (const node of cluster.memory) node.put = () => Promise.resolve(); // the layout is the subject, not two million shards
  const slice = new Uint8Array(1);
  const writer = cluster.writer();
  const group = Array<Uint8Array>(1024).fill(slice);
  await writer.write(stream(Array<readonly Uint8Array[]>(SLICES / group.length).fill(group)), 3, NEVER);
  manifest = { ...(await cluster.commit(writer, [])), sealedSize: SLICES };
}, 120_000);

afterAll(async () => {
  await cluster.remove();
});

describe('the layout of a million slices', () => {
  it('takes no more than one byte for each slice and copy, and 8 for each page', async () => {
    let bytes = 0;
    let pages = 0;
    for (;;) {
      const page = await cluster.metadata.readLayout(manifest.versionId, pages, NEVER);
      if (page === undefined) break;
      bytes += page.length;
      pages += 1;
    }
    expect(pages).toBe(SLICES / STRIPES_PER_PAGE);
    expect(bytes).toBe(2 * SLICES + 8 * pages);
  });

  it('is read in pieces: a slice anywhere costs one page', async () => {
    const read = jest.spyOn(cluster.metadata, 'readLayout');
    const layout = new LayoutReader(cluster.metadata, manifest.versionId);
    expect(await layout.nodes(SLICES - 1, NEVER)).toHaveLength(2);
    expect(await layout.nodes(SLICES - 2, NEVER)).toHaveLength(2);
    expect(read).toHaveBeenCalledTimes(1);
    read.mockRestore();
  });

  it('spreads them evenly', () => {
    expect(manifest.usage.map(({ shards }) => shards)).toEqual([SLICES / 2, SLICES / 2, SLICES / 2, SLICES / 2]);
  });
});
