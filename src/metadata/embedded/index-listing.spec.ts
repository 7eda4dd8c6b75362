import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { MEMORY_DISK } from '../../../test/support/memory-disk.js';
import { newId, STORE_OWNER, type ClusterId, type FileId, type VersionId } from '../../common/ids.js';
import type { FileRecord, ListQuery } from '../metadata-store.js';
import { addFile, forgetFile, rewriteFile } from './index-files.js';
import { listFiles } from './index-listing.js';
import type { IndexTables } from './index-tables.js';
import type { Look } from './index-walk.js';
import { openIndex, type OpenIndex } from './lmdb-index.js';

const FILES = 1200;

let directory: string;
let index: OpenIndex;
let files: readonly FileRecord[];

function change(apply: (tables: IndexTables) => void): void {
  const { environment, tables } = index.database.current;
  environment.transactionSync(() => apply(tables));
}

function query(about: Partial<ListQuery> = {}): ListQuery {
  return { owner: STORE_OWNER, order: 'name', prefix: 'f', limit: FILES, ...about };
}

/** Looks at the index; before the third time, with the keys and the first files of a page at hand, something else comes. */
function lookWith(other: () => void): Look {
  let looks = 0;
  return (read) => {
    if ((looks += 1) === 3) other();
    return Promise.resolve(read(index.database.current.tables));
  };
}

beforeEach(async () => {
  directory = await mkdtemp(join(MEMORY_DISK, 'index-listing-'));
  index = await openIndex({ directory, clusterId: newId<ClusterId>(), mayCreate: true });
  files = Array.from({ length: FILES }, (_, at) => ({
    id: newId<FileId>(),
    owner: STORE_OWNER,
    name: `file ${1000 + at}`,
    contentType: 'text/plain',
    size: at,
    versionId: newId<VersionId>(),
    createdAt: 1,
    updatedAt: 1,
    revision: at + 1,
  }));
  change((tables) => files.forEach((file) => addFile(tables, file)));
});

afterEach(async () => {
  await index.database.close();
  index.lock.release();
  await rm(directory, { recursive: true });
});

it.each(['name', '-name', 'createdAt', '-createdAt'] as const)(
  'makes a page by %s in turns that others come between',
  async (order) => {
    let turns = 0;
    let others = setImmediate(function another() {
      turns += 1;
      others = setImmediate(another);
    });
    const { files: page } = await listFiles(
      lookWith(() => undefined),
      query({ order, prefix: order.endsWith('name') ? 'f' : '' }),
    );
    clearImmediate(others);
    expect(turns).toBeGreaterThanOrEqual(8);
    expect(page).toEqual(order.startsWith('-') ? files.toReversed() : files);
  },
);

it('leaves out what is deleted meanwhile, and keeps each file that is there all the time once, whatever its name', async () => {
  const [deleted, renamed, left] = [files[700]!, files[800]!, files[900]!];
  const after = { ...renamed, name: 'file 0000' };
  const look = lookWith(() =>
    change((tables) => {
      forgetFile(tables, deleted);
      rewriteFile(tables, renamed, after);
      rewriteFile(tables, left, { ...left, name: 'another name' });
    }),
  );
  const { files: page } = await listFiles(look, query());
  const expected = files.filter((file) => file !== deleted && file !== left).map((file) => (file === renamed ? after : file));
  expect(page).toEqual(expected);
});

it('goes on behind the last key, also if its file was deleted meanwhile', async () => {
  const limit = 900;
  const look = lookWith(() => change((tables) => forgetFile(tables, files[limit - 1]!)));
  const first = await listFiles(look, query({ limit }));
  const second = await listFiles(look, query({ cursor: first.nextCursor! }));
  expect([...first.files, ...second.files]).toEqual(files.toSpliced(limit - 1, 1));
});

it('tells a name without a file from a file that was deleted', async () => {
  const look = lookWith(() =>
    change(({ files: rows }) => void rows.removeSync(Buffer.from(files[700]!.id.replaceAll('-', ''), 'hex'))),
  );
  await expect(listFiles(look, query())).rejects.toThrow('a name without a file');
});
