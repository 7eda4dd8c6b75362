import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Damage, Manifest, MetadataStore } from '../metadata/metadata-store.js';
import type { NodeRegistry } from '../nodes/node-registry.js';
import { LayoutReader } from './layout-reader.js';
import { layoutPages } from './layout.js';
import { survivableLosses } from './matching.js';
import type { ShardPlace } from './repair/move-plan.js';

/** Where the shards of one stripe lie. */
export interface StripePlace {
  readonly stripe: number;
  /** Node numbers by the index of the shard in the stripe. */
  readonly nodes: readonly number[];
}

/** What the layout of a version says at this moment. */
export interface LayoutReport {
  /** Stripes of the version. */
  readonly stripes: number;
  /** How many more nodes may be lost without losing a byte; -1 if too few shards of some stripe can be read already now. */
  readonly survives: number;
  /** The first stripes, spelled out. */
  readonly places: readonly StripePlace[];
}

export interface ReportOptions {
  /** Whether a shard can be read now. */
  readonly isReadable: (place: ShardPlace) => boolean;
  /** Stripes to spell out. */
  readonly placesMax: number;
}

/** Tells of a shard of a version whether it can be read now: its node can, and it is not known to be bad there. */
export function readableShards(
  registry: NodeRegistry,
  { createdAt }: Manifest,
  damage: readonly Damage[],
): ReportOptions['isReadable'] {
  const bad = new Set(damage.map(({ node, shard: { stripe, index } }) => `${stripe}/${index}/${node}`));
  return ({ node, stripe, index }) => registry.isReadable(node, createdAt) && !bad.has(`${stripe}/${index}/${node}`);
}

/**
 * Walks over the layout of a version, in pieces. The weakest stripe decides what the version survives.
 */
export async function reportLayout(
  metadata: MetadataStore,
  manifest: Manifest,
  { isReadable, placesMax }: ReportOptions,
  signal: AbortSignal,
): Promise<LayoutReport> {
  const layout = new LayoutReader(metadata, manifest.versionId);
  const places: StripePlace[] = [];
  let survives = manifest.m;
  let stripes = 0;
  for (let page = 0; page < layoutPages(manifest); page += 1) {
    const view = await layout.page(page, signal);
    await nextTurn(); // a page takes milliseconds, and the index answers without leaving the loop to others
    if (view === undefined) {
      // A rebuild did not find it, and what lies behind it cannot be read; unless the version is no more, of which nothing is to be said.
      const isLost = await metadata.isCommitted(manifest.versionId, signal);
      return { stripes, survives: isLost ? -1 : survives, places };
    }
    for (let inPage = 0; inPage < view.stripes; inPage += 1, stripes += 1) {
      const nodes = view.nodes(inPage);
      const live = nodes.map((node, index) => (isReadable({ stripe: stripes, index, node }) ? [node] : []));
      survives = Math.min(survives, survivableLosses(live, view.shape.k));
      if (places.length < placesMax) places.push({ stripe: stripes, nodes });
    }
  }
  return { stripes, survives, places };
}
