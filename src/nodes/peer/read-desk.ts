import type { LeaseId, VersionId } from '../../common/ids.js';
import type { NodeError, ShardId } from '../storage-node.js';

/** Leases of a peer on versions that it reads in the place of the gateway. */
export interface Leases {
  /** Those that it goes on reading. */
  readonly held: readonly LeaseId[];
  /** Those that it needs no more. */
  readonly ended: readonly LeaseId[];
}

/** A shard that a peer met when it read in the place of the gateway, and that is not as it was put. */
export interface FoundDamage {
  readonly node: number;
  readonly shard: ShardId;
  readonly kind: NodeError['kind'];
}

/** What the gateway does for peers that read bodies in its place (docs/adr/0026). */
export interface ReadDesk {
  /** One page of the layout of a version; undefined if there is none. */
  layout(versionId: VersionId, page: number, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /** Returns at once. Unknown leases are nothing: they have ended. */
  lease(leases: Leases): void;
  /** Returns at once. */
  damaged(found: readonly FoundDamage[]): void;
}
