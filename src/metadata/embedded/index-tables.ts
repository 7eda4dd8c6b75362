import type { Database, RangeOptions, RootDatabase } from 'lmdb';
import type { Key, KeyRange } from './index-keys.js';

export type Table = Database<Uint8Array, Key>;

/** The sub-databases; index-keys.ts and index-rows.ts say what their keys and rows look like. */
export interface IndexTables {
  /** Id of a file of the store's own owner → record. The ids are UUIDv7, so this is also the order of creation. */
  readonly files: Table;
  /** Id of a file of any other owner → owner and record. */
  readonly owned: Table;
  /** Owner, if it is not the store's own, and id of a file → nothing. */
  readonly created: Table;
  /** Owner, if it is not the store's own, name and file id → nothing. */
  readonly names: Table;
  /** Owner → its files and their bytes. */
  readonly owners: Table;
  /** Id of a committed version → manifest. */
  readonly versions: Table;
  /** Version id and page → layout page. */
  readonly layouts: Table;
  /** Version id and page → revision, of pages that were put on the nodes anew since the upload. */
  readonly pages: Table;
  /** Version id → nodes that have not confirmed yet. */
  readonly garbage: Table;
  /** Node → shards and bytes of committed versions. */
  readonly usage: Table;
  /** Id of a wrapping key and version id → nothing. */
  readonly keks: Table;
  /** File id → tombstone that nodes still keep. */
  readonly tombstones: Table;
  /** Node → revision through which it was swept. */
  readonly swept: Table;
  /** Shards that are not as they were put → nothing. */
  readonly damage: Table;
  /** Node → time since which all on it was proven. */
  readonly proven: Table;
  /** What the index says of itself. */
  readonly meta: Table;
}

export const BINARY = { keyEncoding: 'binary', encoding: 'binary' } as const;
/** Of sub-databases, at the most. */
export const TABLES_MAX = 32;

export function openTable(environment: RootDatabase, name: keyof IndexTables): Table {
  return environment.openDB<Uint8Array, Key>(name, BINARY);
}

/** Opens the sub-databases, and makes those that are missing. */
export function openTables(environment: RootDatabase): IndexTables {
  return {
    files: openTable(environment, 'files'),
    owned: openTable(environment, 'owned'),
    created: openTable(environment, 'created'),
    names: openTable(environment, 'names'),
    owners: openTable(environment, 'owners'),
    versions: openTable(environment, 'versions'),
    layouts: openTable(environment, 'layouts'),
    pages: openTable(environment, 'pages'),
    garbage: openTable(environment, 'garbage'),
    usage: openTable(environment, 'usage'),
    keks: openTable(environment, 'keks'),
    tombstones: openTable(environment, 'tombstones'),
    swept: openTable(environment, 'swept'),
    damage: openTable(environment, 'damage'),
    proven: openTable(environment, 'proven'),
    meta: openTable(environment, 'meta'),
  };
}

/** What a walk over keys needs beside its range. */
export interface Walk {
  readonly limit?: number;
  readonly reverse?: boolean;
  /** Begin strictly after this key in the direction of the walk, even if it lies outside the range or is not there. */
  readonly after?: Key | undefined;
}

/** The options of lmdb for a walk. A reverse walk begins at the upper end, which is never part of a range. */
export function rangeOptions({ lower, upper }: KeyRange, { limit, reverse = false, after }: Walk): RangeOptions {
  const [first, last] = reverse ? [upper, lower] : [lower, upper];
  const resumes = after !== undefined && (first === undefined || isBeyond(after, first, reverse));
  const start = resumes ? after : first;
  return {
    ...(start === undefined ? {} : { start }),
    ...(last === undefined ? {} : { end: last }),
    ...(limit === undefined ? {} : { limit }),
    exclusiveStart: resumes || reverse,
    inclusiveEnd: reverse,
    reverse,
  };
}

function isBeyond(key: Key, other: Key, reverse: boolean): boolean {
  const order = Buffer.compare(key, other);
  return reverse ? order <= 0 : order >= 0;
}
