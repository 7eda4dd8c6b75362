import { STORE_OWNER, type OwnerId } from '../../common/ids.js';
import type { IndexRows, IndexTransfer, RowTable, RowTypes } from '../moving/index-transfer.js';
import { readFile, readTombstone } from './index-changes.js';
import { damageKey, decodeDamage, readScrubNote, writeScrubNote } from './index-damage.js';
import { displaceFile, placeFile } from './index-files.js';
import { readTransit, writeTransit } from './index-identity.js';
import {
  createdKey,
  fileOfKey,
  idKey,
  kekKey,
  type Key,
  layoutKey,
  nameKey,
  nodeKey,
  nodeOfKey,
  ownerKey,
  pageOfLayoutKey,
  versionOfLayoutKey,
  versionOfKey,
} from './index-keys.js';
import { layoutRevision, writePageRevision } from './index-page-revisions.js';
import { readCeiling, readRevision, readSettled, writeCeiling, writeRevision, writeSettled } from './index-revisions.js';
import {
  decodeGarbage,
  decodeOwnerUsage,
  decodeUsage,
  encodeGarbage,
  encodeOwnerUsage,
  encodeTombstone,
  encodeUsage,
  encodeVersion,
} from './index-rows.js';
import type { IndexAccess } from './index-suspects.js';
import { type IndexTables, rangeOptions, type Table } from './index-tables.js';

const NOTHING = new Uint8Array(0);
const ROWS_MAX = 256;
/** After so many bytes of layout pages no further one is read: a page may have some MiB. */
const PAGE_BYTES_MAX = 1024 * 1024;

interface Rows<Row> {
  readonly keyOf: (row: Row) => Key;
  /** In order, from behind a key on. */
  readonly read: (tables: IndexTables, after: Key | undefined) => readonly Row[];
  readonly put: (tables: IndexTables, row: Row) => void;
  readonly remove: (tables: IndexTables, row: Row) => void;
}

/** @param rest see IndexTransfer */
export function embeddedTransfer(access: IndexAccess, rest: () => Promise<void>): IndexTransfer {
  return {
    rows: rowsOf(access),
    transit: (signal) => access.look(({ meta }) => (signal.throwIfAborted(), readTransit(meta))),
    note: (transit, signal) => {
      signal.throwIfAborted();
      return access.change(({ meta }) => writeTransit(meta, transit));
    },
    check: (signal) => check(access, signal),
    rest,
  };
}

function rowsOf(access: IndexAccess): IndexRows {
  return {
    files: tableOf(access, FILES),
    layouts: tableOf(access, LAYOUTS),
    garbage: tableOf(access, {
      keyOf: ({ versionId }) => idKey(versionId),
      read: ({ garbage }, after) => rowsFrom(garbage, after, (key, row) => decodeGarbage(versionOfKey(key), row)),
      put: ({ garbage }, row) => garbage.putSync(idKey(row.versionId), encodeGarbage(row)),
      remove: ({ garbage }, { versionId }) => garbage.removeSync(idKey(versionId)),
    }),
    tombstones: tableOf(access, {
      keyOf: ({ fileId }) => idKey(fileId),
      read: (tables, after) => keysFrom(tables.tombstones, after).map((key) => found(readTombstone(tables, fileOfKey(key)))),
      put: ({ tombstones }, row) => tombstones.putSync(idKey(row.fileId), encodeTombstone(row)),
      remove: ({ tombstones }, { fileId }) => tombstones.removeSync(idKey(fileId)),
    }),
    damage: tableOf(access, {
      keyOf: damageKey,
      read: ({ damage }, after) => keysFrom(damage, after).map(decodeDamage),
      put: ({ damage }, row) => damage.putSync(damageKey(row), NOTHING),
      remove: ({ damage }, row) => damage.removeSync(damageKey(row)),
    }),
    nodes: tableOf(access, NODES),
    owners: tableOf(access, {
      keyOf: ({ owner }) => ownerKey(owner),
      read: ({ owners }, after) =>
        rowsFrom(owners, after, (key, row) => ({ owner: Buffer.from(key).toString() as OwnerId, ...decodeOwnerUsage(row) })),
      put: ({ owners }, row) => owners.putSync(ownerKey(row.owner), encodeOwnerUsage(row)),
      remove: ({ owners }, { owner }) => owners.removeSync(ownerKey(owner)),
    }),
    usage: tableOf(access, {
      keyOf: ({ node }) => nodeKey(node),
      read: ({ usage }, after) => rowsFrom(usage, after, (key, row) => decodeUsage(nodeOfKey(key), row)),
      put: ({ usage }, row) => usage.putSync(nodeKey(row.node), encodeUsage(row)),
      remove: ({ usage }, { node }) => usage.removeSync(nodeKey(node)),
    }),
    state: tableOf(access, STATE),
  };
}

const FILES: Rows<RowTypes['files']> = {
  keyOf: ({ file }) => idKey(file.id),
  read: (tables, after) =>
    mergedKeys([tables.files, tables.owned], after).map((key) => {
      const { file, version } = found(readFile(tables, fileOfKey(key)));
      return { file, ...version };
    }),
  put: (tables, row) => {
    const { file, manifest, pages } = row;
    FILES.remove(tables, row);
    placeFile(tables, file);
    tables.versions.putSync(idKey(manifest.versionId), encodeVersion({ manifest, pages }));
    tables.keks.putSync(kekKey(manifest.seal.kekId, manifest.versionId), NOTHING);
  },
  remove: (tables, { file: { id } }) => {
    const before = readFile(tables, id);
    if (before === undefined) return;
    const { versionId, seal } = before.version.manifest;
    displaceFile(tables, before.file);
    tables.versions.removeSync(idKey(versionId));
    tables.keks.removeSync(kekKey(seal.kekId, versionId));
  },
};

const LAYOUTS: Rows<RowTypes['layouts']> = {
  keyOf: ({ versionId, page }) => layoutKey(versionId, page),
  read: (tables, after) => {
    const rows: RowTypes['layouts'][] = [];
    let bytesRead = 0;
    for (const { key, value } of tables.layouts.getRange(rangeFrom(after))) {
      const [versionId, page] = [versionOfLayoutKey(key), pageOfLayoutKey(key)];
      rows.push({ versionId, page, bytes: Uint8Array.from(value), revision: layoutRevision(tables, versionId, page) });
      if ((bytesRead += value.length) >= PAGE_BYTES_MAX) break;
    }
    return rows;
  },
  put: (tables, { versionId, page, bytes, revision }) => {
    tables.layouts.putSync(layoutKey(versionId, page), bytes);
    writePageRevision(tables, layoutKey(versionId, page), revision);
  },
  remove: (tables, { versionId, page }) => {
    tables.layouts.removeSync(layoutKey(versionId, page));
    tables.pages.removeSync(layoutKey(versionId, page));
  },
};

const NODES: Rows<RowTypes['nodes']> = {
  keyOf: ({ node }) => nodeKey(node),
  read: ({ swept, proven }, after) =>
    mergedKeys([swept, proven], after).map((key) => ({
      node: nodeOfKey(key),
      swept: readRevision(swept, key),
      proven: readRevision(proven, key) || undefined,
    })),
  put: (tables, { node, swept, proven }) => {
    writeRevision(tables.swept, nodeKey(node), swept);
    writeRevision(tables.proven, nodeKey(node), proven ?? 0);
  },
  remove: ({ swept, proven }, { node }) => {
    swept.removeSync(nodeKey(node));
    proven.removeSync(nodeKey(node));
  },
};

const STATE: Rows<RowTypes['state']> = {
  keyOf: () => NOTHING,
  read: (tables, after) =>
    after === undefined
      ? [{ ceiling: readCeiling(tables.meta), settled: readSettled(tables.meta), scrub: readScrubNote(tables) }]
      : [],
  put: (tables, { ceiling, settled, scrub }) => {
    writeCeiling(tables.meta, ceiling);
    writeSettled(tables.meta, settled);
    writeScrubNote(tables, scrub);
  },
  remove: () => undefined,
};

function tableOf<Row>({ look, change, turns }: IndexAccess, { keyOf, read, put, remove }: Rows<Row>): RowTable<Row> {
  return {
    read: async (after, signal) => {
      // Between two looks others have their turn.
      await turns.afterPages();
      signal.throwIfAborted();
      return look((tables) => read(tables, after && keyOf(after)));
    },
    write: (rows, signal) => {
      signal.throwIfAborted();
      return change((tables) => {
        for (const row of rows.remove) remove(tables, row);
        for (const row of rows.put) put(tables, row);
      });
    },
  };
}

/** The order of names, that of creation and that of keys are tables of their own: one row for each file. */
async function check({ look, turns }: IndexAccess, signal: AbortSignal): Promise<void> {
  let [files, owned] = [0, 0];
  for (let after: Key | undefined; ;) {
    await turns.afterPages();
    signal.throwIfAborted();
    const rows = await look((tables) => {
      const page = FILES.read(tables, after);
      for (const row of page) requireOrdered(tables, row);
      return page;
    });
    const last = rows.at(-1);
    if (last === undefined) break;
    files += rows.length;
    owned += rows.filter(({ file }) => file.owner !== STORE_OWNER).length;
    after = FILES.keyOf(last);
  }
  await look(({ names, created, versions, keks }) => {
    const isSound = [names, versions, keks].every((table) => entriesOf(table) === files) && entriesOf(created) === owned;
    if (!isSound) throw new Error('its orders have more entries than it has files');
  });
}

function requireOrdered({ names, created, keks }: IndexTables, { file, manifest }: RowTypes['files']): void {
  const { id, owner, name } = file;
  const isOrdered =
    names.doesExist(nameKey(owner, name, id)) &&
    (owner === STORE_OWNER || created.doesExist(createdKey(owner, id))) &&
    keks.doesExist(kekKey(manifest.seal.kekId, manifest.versionId));
  if (!isOrdered) throw new Error('a file is missing in one of its orders');
}

function entriesOf(table: Table): number {
  return (table.getStats() as { entryCount: number }).entryCount;
}

function rowsFrom<Row>(table: Table, after: Key | undefined, decode: (key: Key, row: Uint8Array) => Row): readonly Row[] {
  return [...table.getRange(rangeFrom(after))].map(({ key, value }) => decode(key, value));
}

function keysFrom(table: Table, after: Key | undefined): readonly Key[] {
  return [...table.getKeys(rangeFrom(after))];
}

/** The keys that any of some tables has. */
function mergedKeys(tables: readonly Table[], after: Key | undefined): readonly Key[] {
  const keys = tables.flatMap((table) => keysFrom(table, after)).sort((a, b) => Buffer.compare(a, b));
  return keys.filter((key, at) => at === 0 || Buffer.compare(key, keys[at - 1] ?? NOTHING) !== 0).slice(0, ROWS_MAX);
}

function rangeFrom(after: Key | undefined): ReturnType<typeof rangeOptions> {
  return rangeOptions({}, { limit: ROWS_MAX, after });
}

function found<Row>(row: Row | undefined): Row {
  if (row === undefined) throw new Error('the index lacks a row that others refer to');
  return row;
}
