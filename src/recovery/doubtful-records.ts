import type { FileId } from '../common/ids.js';
import type { Damage, Manifest, MetadataStore } from '../metadata/metadata-store.js';
import { LayoutReader } from '../redundancy/layout-reader.js';
import { layoutPages, STRIPES_PER_PAGE } from '../redundancy/layout.js';

/** Revisions of so many milliseconds: longer than a change takes from its first record on a node to its commit. */
const UNDER_WAY = 60_000 * 1024;

/** The youngest record of a file, and which nodes were seen to have it. */
interface Holders {
  readonly revision: number;
  readonly nodes: Set<number>;
}

/** Whether the change of a revision may have been under way when the newest was. */
export function isYoung(revision: number, newest: number): boolean {
  return revision > newest - UNDER_WAY;
}

/**
 * The youngest records of files, and which nodes have them. What was under way when the index was lost may be on fewer nodes than it says, and a
 * rebuild that takes it for done must not rely on the others: it may replace what was acknowledged, and then one copy would be all that is left.
 */
export class DoubtfulRecords {
  private readonly holders = new Map<FileId, Holders>();
  private newest = 0;

  /** A node that was read has a record of a file, or the tombstone of one. */
  saw(node: number, id: FileId, revision: number): void {
    this.newest = Math.max(this.newest, revision);
    if (!isYoung(revision, this.newest)) return;
    const known = this.holders.get(id);
    if (known === undefined || known.revision < revision) this.holders.set(id, { revision, nodes: new Set([node]) });
    else if (known.revision === revision) known.nodes.add(node);
  }

  /** What may be missing of them on nodes that were not seen to have them, as damage, for repair to put it there or elsewhere. */
  async damage(index: MetadataStore, signal: AbortSignal): Promise<readonly Damage[]> {
    const damage: Damage[] = [];
    for (const [id, { revision, nodes }] of this.young()) {
      const stored = await index.find(id, signal);
      if (stored?.file.revision !== revision) continue;
      const lacking = stored.manifest.recordNodes.filter((node) => !nodes.has(node));
      if (lacking.length > 0) damage.push(...(await lastShards(index, stored.manifest, lacking, signal)));
    }
    return damage;
  }

  /** The lowest revision of a tombstone that a node lacks which it names; undefined: there is none. */
  async lowestThinTombstone(index: MetadataStore, signal: AbortSignal): Promise<number | undefined> {
    let lowest: number | undefined;
    for (const [id, { revision, nodes }] of this.young()) {
      const tombstone = await index.findTombstone(id, signal);
      if (tombstone?.revision !== revision || tombstone.nodes.every((node) => nodes.has(node))) continue;
      lowest = Math.min(revision, lowest ?? revision);
    }
    return lowest;
  }

  /** What was taken in before the newest was known may have turned out to be old. */
  private young(): readonly (readonly [FileId, Holders])[] {
    return [...this.holders].filter(([, { revision }]) => isYoung(revision, this.newest));
  }
}

/** A shard of the last stripe on each of the nodes: the record lies beside it, and a small body is in one entry with it. */
async function lastShards(
  index: MetadataStore,
  manifest: Manifest,
  lacking: readonly number[],
  signal: AbortSignal,
): Promise<readonly Damage[]> {
  const { versionId } = manifest;
  const page = layoutPages(manifest) - 1;
  const view = await new LayoutReader(index, versionId).page(page, signal);
  if (view === undefined || view.stripes === 0) return [];
  const row = view.nodes(view.stripes - 1);
  const stripe = page * STRIPES_PER_PAGE + view.stripes - 1;
  return lacking.map((node) => {
    const at = row.indexOf(node);
    // A record that was moved away from the shards: any of them brings repair to the file, and that to its record.
    return at < 0
      ? { node: row[0] as number, shard: { versionId, stripe, index: 0 } }
      : { node, shard: { versionId, stripe, index: at } };
  });
}
