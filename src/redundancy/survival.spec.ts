import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Cluster, NEVER } from '../../test/support/cluster.js';
import type { Manifest } from '../metadata/metadata-store.js';
import { type LayoutReport, reportLayout } from './survival.js';

let cluster: Cluster;
let manifest: Manifest;

beforeEach(async () => {
  cluster = await Cluster.make({ nodes: 3, redundancy: 1, sliceBytes: 16 });
  manifest = await cluster.store([new Uint8Array(16)]);
  jest.spyOn(cluster.metadata, 'readLayout').mockResolvedValue(undefined);
});

afterEach(() => cluster.remove());

function report(): Promise<LayoutReport> {
  return reportLayout(cluster.metadata, manifest, { isReadable: () => true, placesMax: 1 }, NEVER);
}

describe('a version of which a page of the layout is lost', () => {
  it('is said to be lost', async () => {
    expect(await report()).toEqual({ stripes: 0, survives: -1, places: [] });
  });

  it('is not, if it was deleted meanwhile', async () => {
    await cluster.delete(manifest.fileId);
    expect(await report()).toMatchObject({ survives: 1 });
  });
});
