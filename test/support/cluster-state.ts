import { expect } from '@jest/globals';
import type { Manifest } from '../../src/metadata/metadata-store.js';
import type { ShardPlace } from '../../src/redundancy/repair/move-plan.js';
import { reportLayout } from '../../src/redundancy/survival.js';
import { type Cluster, NEVER } from './cluster.js';

/** The manifest of a version as it is now. */
export async function current(cluster: Cluster, manifest: Manifest): Promise<Manifest> {
  return (await cluster.metadata.findByVersion(manifest.versionId, NEVER))!.manifest;
}

export async function places(cluster: Cluster, manifest: Manifest): Promise<ShardPlace[]> {
  const report = await reportLayout(cluster.metadata, manifest, { isReadable: () => true, placesMax: 1e6 }, NEVER);
  return report.places.flatMap(({ stripe, nodes }) => nodes.map((node, index) => ({ stripe, index, node })));
}

/** What the nodes have is what the layout says, neither more nor less, and so say all counters. */
export async function expectInPlace(cluster: Cluster, before: Manifest): Promise<void> {
  const manifest = await current(cluster, before);
  const rows = await places(cluster, manifest);
  const expected = rows.map(({ stripe, index, node }) => `${stripe}.${index}@${node}`).sort();
  const found: string[] = [];
  for (const node of cluster.memory)
    for await (const { stripe, index } of node.list(NEVER)) found.push(`${stripe}.${index}@${node.number}`);
  expect(found.sort()).toEqual(expected);
  for (const [, row] of Map.groupBy(rows, ({ stripe }) => stripe)) {
    expect(new Set(row.map(({ node }) => node)).size).toBe(manifest.k + manifest.m);
    expect(row).toHaveLength(manifest.k + manifest.m);
  }
  const counts = await cluster.counts();
  expect(cluster.memory.map(({ number }) => cluster.placement.files(number))).toEqual(counts);
  const usage = new Map(manifest.usage.map(({ node, shards }) => [node, shards]));
  expect(cluster.memory.map(({ number }) => usage.get(number) ?? 0)).toEqual(counts);
  expect(await cluster.metadata.usage(NEVER)).toEqual([...manifest.usage].sort((a, b) => a.node - b.node));
  const heads = await Promise.all(cluster.memory.map((node) => Array.fromAsync(node.listRecords(NEVER))));
  const manifests = cluster.memory.filter((_, at) => heads[at]!.some(({ kind }) => kind === 'manifest'));
  expect(manifests.map(({ number }) => number)).toEqual([...manifest.recordNodes].sort());
  expect(manifest.recordNodes).toHaveLength(manifest.m + 1);
}
