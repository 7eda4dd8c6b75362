import type { MetadataStore } from '../metadata/metadata-store.js';
import { amissOf, isTombstoneAmiss, type Target } from './amiss.js';
import type { WorkLeft } from './work-progress.js';

/** What the index says of files that do not lie as they are to. */
export interface Census extends WorkLeft {
  /** Nodes that the widest stripes lie on. */
  readonly widest: number;
  /** Marks of deleted files that have to be put anew. */
  readonly tombstones: number;
  /** By node that leaves: records that are said to lie on it. */
  readonly records: ReadonlyMap<number, number>;
  /** By node that leaves: files that have shards on it. */
  readonly shards: ReadonlyMap<number, number>;
}

/** Goes over the whole index once, without stopping anybody. */
export async function takeCensus(metadata: MetadataStore, target: Target, signal: AbortSignal): Promise<Census> {
  const records = new Map<number, number>();
  const shards = new Map<number, number>();
  const count = (counts: Map<number, number>, nodes: readonly number[]): void => {
    for (const node of nodes) if (target.isLeaving(node)) counts.set(node, (counts.get(node) ?? 0) + 1);
  };
  let [files, bytes, tombstones, widest] = [0, 0, 0, 0];
  for await (const { manifest } of metadata.files(signal)) {
    const nodes = manifest.usage.map(({ node }) => node);
    count(shards, nodes);
    widest = Math.max(widest, manifest.k + manifest.m);
    count(records, manifest.recordNodes);
    if (amissOf(manifest, target) === undefined) continue;
    files += 1;
    bytes += bytesOf(manifest);
  }
  for await (const tombstone of metadata.tombstones(signal)) {
    count(records, tombstone.nodes);
    if (isTombstoneAmiss(tombstone, target)) tombstones += 1;
  }
  return { files, bytes, widest, tombstones, records, shards };
}

/** Bytes of all shards of a version. */
export function bytesOf({ usage }: { readonly usage: readonly { readonly bytes: number }[] }): number {
  return usage.reduce((sum, { bytes }) => sum + bytes, 0);
}
