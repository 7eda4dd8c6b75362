import type { FileId } from '../../common/ids.js';
import type { Damage, MetadataStore, StoredFile, Tombstone } from '../../metadata/metadata-store.js';
import type { NodeRegistry } from '../../nodes/node-registry.js';
import { NodeError, type RecordHead } from '../../nodes/storage-node.js';
import { badShards } from '../bad-shards.js';
import { layoutPages } from '../layout.js';

export interface ScrubParts {
  readonly registry: NodeRegistry;
  readonly metadata: MetadataStore;
  /** Takes note of shards that are not as they were put. Returns of how many that is still so. */
  readonly note: (damage: readonly Damage[], signal: AbortSignal) => Promise<number>;
  /** Puts the record of a file on its nodes anew. */
  readonly reconcile: (fileId: FileId) => Promise<void>;
  /** Resolves when so many bytes may be read. */
  readonly throttle: (bytes: number, signal: AbortSignal) => Promise<void>;
}

/** What a pass has seen so far. */
export interface ScrubCounts {
  files: number;
  shards: number;
  bytes: number;
  /** Shards and records that were missing or damaged. */
  damaged: number;
}

/** About as many bytes as a record has. */
const RECORD_BYTES = 512;

/**
 * Looks at everything that the index says is on the nodes: whether it is there, and as it was put. Needs no keys: nodes compare checksums where
 * the shards lie. A node that does not answer is left out from then on, for nothing of it is proven then.
 */
export class ScrubPass {
  readonly counts: ScrubCounts = { files: 0, shards: 0, bytes: 0, damaged: 0 };
  /** Nodes of which not everything could be looked at. */
  readonly unproven: Set<number>;

  /** @param unproven nodes of which it is known already that not everything could be looked at */
  constructor(
    private readonly parts: ScrubParts,
    unproven: readonly number[] = [],
  ) {
    this.unproven = new Set(unproven);
  }

  /** All shards and records of one file. */
  async file(stored: StoredFile, signal: AbortSignal): Promise<void> {
    const { manifest } = stored;
    const shardBytes = Math.min(manifest.sliceBytes, manifest.sealedSize);
    const beforeCheck = (count: number): Promise<void> => this.parts.throttle(count * shardBytes, signal);
    for (const { node, shards, bytes } of manifest.usage) {
      const bad = await this.onNode(node, () =>
        Array.fromAsync(badShards(this.parts, { node, manifest, isBad: isLost, beforeCheck }, signal), (shard) => ({
          node,
          shard,
        })),
      );
      this.counts.shards += shards;
      this.counts.bytes += bytes;
      if (bad !== undefined && bad.length > 0) this.counts.damaged += await this.parts.note(bad, signal);
    }
    await this.recordsOf(stored, signal);
    this.counts.files += 1;
  }

  async tombstone({ fileId, revision, nodes }: Tombstone, signal: AbortSignal): Promise<void> {
    const head = { kind: 'tombstone', id: fileId, page: 0, revision } as const;
    await this.records(fileId, { nodes, heads: [head] }, signal);
  }

  private async recordsOf({ file, manifest }: StoredFile, signal: AbortSignal): Promise<void> {
    const { versionId: id, recordNodes: nodes } = manifest;
    const heads: RecordHead[] = [{ kind: 'manifest', id, page: 0, revision: file.revision }];
    for (let page = 1; page < layoutPages(manifest); page += 1) {
      const revision = await this.parts.metadata.layoutRevision(id, page - 1, signal);
      heads.push({ kind: 'layout', id, page, revision });
    }
    await this.records(file.id, { nodes, heads }, signal);
  }

  private async records(
    fileId: FileId,
    { nodes, heads }: { readonly nodes: readonly number[]; readonly heads: readonly RecordHead[] },
    signal: AbortSignal,
  ): Promise<void> {
    let bad = 0;
    for (const number of nodes) {
      await this.parts.throttle(heads.length * RECORD_BYTES, signal);
      const records = await this.onNode(number, () => this.parts.registry.call(number, (node) => node.getRecords(heads, signal)));
      bad += records?.filter((record, at) => isBad(record, heads[at] as RecordHead)).length ?? 0;
    }
    // A change that came meanwhile has put them anew by itself.
    if (bad === 0 || !(await this.isCurrent(fileId, heads[0] as RecordHead, signal))) return;
    this.counts.damaged += bad;
    await this.parts.reconcile(fileId);
  }

  private async isCurrent(fileId: FileId, { revision }: RecordHead, signal: AbortSignal): Promise<boolean> {
    const { metadata } = this.parts;
    const stored = await metadata.find(fileId, signal);
    return (stored?.file ?? (await metadata.findTombstone(fileId, signal)))?.revision === revision;
  }

  private async onNode<Result>(number: number, work: () => Promise<Result>): Promise<Result | undefined> {
    const { registry } = this.parts;
    if (!registry.has(number)) return undefined;
    if (!registry.reachable().includes(number)) {
      this.unproven.add(number);
      return undefined;
    }
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof NodeError)) throw error;
      this.unproven.add(number);
      return undefined;
    }
  }
}

/** What a node says that is busy, or cannot read just now, proves nothing. */
function isLost({ kind }: NodeError): boolean {
  return kind === 'corrupt' || kind === 'not-found';
}

function isBad(record: RecordHead | NodeError, { revision }: RecordHead): boolean {
  if (record instanceof NodeError) return isLost(record);
  return record.revision < revision;
}
