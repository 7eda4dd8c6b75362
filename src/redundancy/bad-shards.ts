import type { Manifest, MetadataStore } from '../metadata/metadata-store.js';
import type { NodeRegistry } from '../nodes/node-registry.js';
import type { NodeError, ShardId } from '../nodes/storage-node.js';
import { layoutPages, LayoutView, shardsOn } from './layout.js';

/** Which shards to look at, and which of them count. */
export interface BadShardSearch {
  readonly node: number;
  readonly manifest: Manifest;
  /** Whether what a node says of a shard makes it a bad one; absent: whatever it says. */
  readonly isBad?: (error: NodeError) => boolean;
  /** Awaited before each call, with the number of shards that it looks at. */
  readonly beforeCheck?: (shards: number) => Promise<void>;
}

/** Shards that a node is asked about with one call. */
const CHECK_BATCH = 256;

/** The shards of a version that are not on a node as its layout says. @throws NodeError if the node as a whole cannot answer */
export async function* badShards(
  { registry, metadata }: { readonly registry: NodeRegistry; readonly metadata: MetadataStore },
  { node: number, manifest, isBad = () => true, beforeCheck }: BadShardSearch,
  signal: AbortSignal,
): AsyncGenerator<ShardId, void, undefined> {
  const { versionId } = manifest;
  for (let page = 0; page < layoutPages(manifest); page += 1) {
    const bytes = await metadata.readLayout(versionId, page, signal);
    if (bytes === undefined) continue; // an index that has lost a page cannot say what lies where
    const ids = shardsOn(number, new LayoutView(bytes), { versionId, page });
    for (let at = 0; at < ids.length; at += CHECK_BATCH) {
      const batch = ids.slice(at, at + CHECK_BATCH);
      await beforeCheck?.(batch.length);
      const answers = await registry.call(number, (node) => node.check(batch, signal));
      yield* batch.filter((_, position) => {
        const error = answers[position];
        return error !== undefined && isBad(error);
      });
    }
  }
}
