import type { FileId } from '../common/ids.js';
import type { MetadataStore } from '../metadata/metadata-store.js';
import type { NodeRegistry } from '../nodes/node-registry.js';
import type { RecordStore } from './record-store.js';
import type { VersionHolds } from './version-holds.js';

/** What the collector works with, and whom it tells. */
export interface CollectorParts {
  readonly registry: NodeRegistry;
  readonly metadata: MetadataStore;
  readonly holds: VersionHolds;
  readonly records: RecordStore;
  /** Age at which a version that no file has counts as left behind. */
  readonly graceMs: number;
  /** When this run of the program began, milliseconds since 1970. */
  readonly runBegan: number;
  /**
   * Told of a file of which a node keeps a change that the index never committed: makes the state of the index the newest one on the
   * nodes. Rejects if that cannot be done now.
   */
  readonly reconcile: (fileId: FileId) => Promise<void>;
  /** Told of a node that knows of changes which the index does not: nothing on it is touched. */
  readonly onAhead: (node: number, revision: number) => void;
}
