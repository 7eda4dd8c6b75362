import type { VersionId } from '../../common/ids.js';
import type { Damage, Manifest, MetadataStore } from '../../metadata/metadata-store.js';

/** A version of which something has to be restored. */
export interface RepairItem {
  readonly versionId: VersionId;
  /** How many more nodes it survives, at the least; below 0: something of it may not be readable. */
  readonly survives: number;
  /** Bytes to be written, about. */
  readonly bytes: number;
  /** Bytes of all shards of one stripe. */
  readonly stripeBytes: number;
  /** Bytes that are in memory at the most while it is restored, however much of it is copied at once. */
  readonly bytesHeld: number;
  /** Copies of its record that are wanted. */
  readonly copies: number;
  /** True if shards or its record have to go to other nodes. */
  readonly moves: boolean;
  /** False if there are too few nodes for it now, as far as that can be told without its layout. */
  readonly isPlaceable: boolean;
  readonly damage: readonly Damage[];
}

/** What a look at the index finds to do. */
export interface RepairBacklog {
  readonly items: readonly RepairItem[];
  /** True if there was more than fits: when these are done one has to look again. */
  readonly isPartial: boolean;
  /** Of all that is to be done, also what did not fit. */
  readonly versions: number;
  readonly bytes: number;
}

/** Versions that are kept for each number of survived losses. */
const BUCKET = 10_000;

/**
 * Sorts what has to be restored: what survives the fewest further losses first. Memory is bounded: what does not fit is found by the next look.
 * What cannot be placed now is sorted for itself: it is still there at the next look, and would leave no room for others.
 */
export class RepairBuckets {
  private readonly buckets = { placeable: new Map<number, RepairItem[]>(), stuck: new Map<number, RepairItem[]>() };
  private isPartial = false;
  private versions = 0;
  private bytes = 0;

  constructor(private readonly itemsMax = BUCKET) {}

  add(item: RepairItem): void {
    this.versions += 1;
    this.bytes += item.bytes;
    const buckets = item.isPlaceable ? this.buckets.placeable : this.buckets.stuck;
    const bucket = buckets.get(item.survives) ?? [];
    buckets.set(item.survives, bucket);
    if (bucket.length < this.itemsMax) bucket.push(item);
    else this.isPartial = true;
  }

  backlog(): RepairBacklog {
    const { isPartial, versions, bytes } = this;
    const { placeable, stuck } = this.buckets;
    const order = [...new Set([...placeable.keys(), ...stuck.keys()])].sort((a, b) => a - b);
    const items = order.flatMap((survives) => [...(placeable.get(survives) ?? []), ...(stuck.get(survives) ?? [])]);
    return { items, isPartial, versions, bytes };
  }
}

/** What to look for. */
export interface BacklogSearch {
  /** Nodes that have nothing of what the layouts name. */
  readonly isGone: (node: number) => boolean;
  /** Whether to look at every file even if no shard lies on such a node: its record may. */
  readonly looksAtAll: boolean;
  /** How many nodes take new shards now. */
  readonly writable: number;
}

/** Goes through the index for all that has to be restored. */
export async function findBacklog(metadata: MetadataStore, search: BacklogSearch, signal: AbortSignal): Promise<RepairBacklog> {
  const damaged = await damageByVersion(metadata, signal);
  const buckets = new RepairBuckets();
  const { isGone, looksAtAll } = search;
  const usage = await metadata.usage(signal);
  // Without a node that is gone there is no need to look at every file.
  if (looksAtAll || usage.some(({ node }) => isGone(node))) {
    for await (const { manifest } of metadata.files(signal)) {
      const item = itemOf(manifest, damaged.get(manifest.versionId) ?? [], search);
      if (item === undefined) continue;
      damaged.delete(manifest.versionId);
      buckets.add(item);
    }
  }
  for (const [versionId, damage] of damaged) {
    const stored = await metadata.findByVersion(versionId, signal);
    if (stored === undefined) await metadata.clearDamage(damage, signal);
    const item = stored && itemOf(stored.manifest, damage, search);
    if (item !== undefined) buckets.add(item);
  }
  return buckets.backlog();
}

/** Shards that are known to be bad. */
export async function damageByVersion(metadata: MetadataStore, signal: AbortSignal): Promise<Map<VersionId, Damage[]>> {
  const damaged = new Map<VersionId, Damage[]>();
  for await (const damage of metadata.damage(signal)) {
    const known = damaged.get(damage.shard.versionId);
    if (known === undefined) damaged.set(damage.shard.versionId, [damage]);
    else known.push(damage);
  }
  return damaged;
}

/** What has to be done for a version; undefined: nothing. */
export function itemOf(
  manifest: Manifest,
  damage: readonly Damage[],
  { isGone, writable }: Pick<BacklogSearch, 'isGone' | 'writable'>,
): RepairItem | undefined {
  const { versionId, k, m, sliceBytes, sealedSize, usage, recordNodes } = manifest;
  const shardBytes = Math.min(sliceBytes, sealedSize);
  const gone = usage.filter(({ node }) => isGone(node));
  const moves = gone.length > 0 || recordNodes.some(isGone);
  if (!moves && damage.length === 0) return undefined;
  const inStripes = Map.groupBy(damage, ({ shard }) => shard.stripe);
  const worst = Math.max(0, ...[...inStripes.values()].map(({ length }) => length));
  const bytes = gone.reduce((sum, part) => sum + part.bytes, damage.length * shardBytes);
  const stripeBytes = (k + m) * shardBytes;
  const isPlaceable = gone.length === 0 || writable >= k + m;
  // For each shard that is written, k of its stripe are read.
  const bytesHeld = k * bytes;
  const survives = m - gone.length - worst;
  return { versionId, survives, bytes, stripeBytes, bytesHeld, copies: m + 1, moves, isPlaceable, damage };
}
