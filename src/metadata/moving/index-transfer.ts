import type { OwnerId, VersionId } from '../../common/ids.js';
import type {
  Damage,
  FileRecord,
  GarbageVersion,
  Manifest,
  MetadataStore,
  NodeUsage,
  OwnerUsage,
  ScrubNote,
  Tombstone,
} from '../metadata-store.js';
import type { IndexTransit } from './index-transit.js';

/** All that an index holds, by kind, as it is the same in each engine. What follows from these, like the order of names, an engine makes itself. */
export interface RowTypes {
  /** Files with their current versions; `pages` of its layout. */
  readonly files: { readonly file: FileRecord; readonly manifest: Manifest; readonly pages: number };
  /** Also those that are staged. */
  readonly layouts: {
    readonly versionId: VersionId;
    readonly page: number;
    readonly bytes: Uint8Array;
    readonly revision: number;
  };
  readonly garbage: GarbageVersion;
  readonly tombstones: Tombstone;
  readonly damage: Damage;
  /** What is noted of nodes: 0 and undefined if nothing is. */
  readonly nodes: { readonly node: number; readonly swept: number; readonly proven: number | undefined };
  readonly owners: OwnerUsage & { readonly owner: OwnerId };
  readonly usage: NodeUsage;
  /** One row: what the index notes of itself. */
  readonly state: { readonly ceiling: number; readonly settled: number; readonly scrub: ScrubNote | undefined };
}

export type RowKind = keyof RowTypes;

export interface RowChange<Row> {
  /** Written over what has their keys. */
  readonly put: readonly Row[];
  /** Only their keys count. */
  readonly remove: readonly Row[];
}

/** The rows of one kind, in the order of the bytes of their keys. */
export interface RowTable<Row> {
  /** Some rows behind one; none if there are no more. */
  read(after: Row | undefined, signal: AbortSignal): Promise<readonly Row[]>;
  /** Durable, and as a whole, when it resolves. */
  write(change: RowChange<Row>, signal: AbortSignal): Promise<void>;
}

export type IndexRows = { readonly [Kind in RowKind]: RowTable<RowTypes[Kind]> };

/** An index as it is taken from one engine to another (docs/adr/0022). Nothing else changes an index that is written to by this. */
export interface IndexTransfer {
  readonly rows: IndexRows;
  transit(signal: AbortSignal): Promise<IndexTransit | undefined>;
  /** Marks the index, durably; undefined: it is in use. */
  note(transit: IndexTransit | undefined, signal: AbortSignal): Promise<void>;
  /** @throws Error if what the engine makes itself of the rows does not agree with them */
  check(signal: AbortSignal): Promise<void>;
  /** Resolves when nothing that this process has begun changes the index any more, if nobody begins anything. */
  rest(): Promise<void>;
}

export type TransferableStore = MetadataStore & { readonly transfer: IndexTransfer };
