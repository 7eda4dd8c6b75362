import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { GroupCommit } from './group-commit.js';
import { IndexDatabase } from './index-database.js';
import type { IndexTables } from './index-tables.js';

const KEY = Buffer.from('key');

describe('GroupCommit', () => {
  let directory: string;
  let database: IndexDatabase;
  let group: GroupCommit;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'group-commit-'));
    database = new IndexDatabase(directory, undefined);
    group = new GroupCommit(database);
  });

  afterEach(async () => {
    await group.settled();
    await database.close();
    await rm(directory, { recursive: true });
  });

  const put = (key: Uint8Array) => (tables: IndexTables) => tables.meta.putSync(key, key);
  const has = (key: Uint8Array): boolean => database.current.tables.meta.doesExist(key);

  /** As lmdb does it: the first promise tells that, and a second one why. */
  const failNextCommit = (applies: boolean): void => {
    const { environment } = database.ensureOpen();
    const transaction = environment.transaction.bind(environment);
    environment.transaction = async <Result>(work: () => Result): Promise<Result> => {
      if (applies) await transaction(work);
      throw Object.assign(new Error('Commit failed'), { commitError: Promise.reject(new Error('Input/output error')) });
    };
  };

  it('lets one transaction carry all changes that wait for it', async () => {
    let transactions = 0;
    const { environment } = database.ensureOpen();
    const transaction = environment.transaction.bind(environment);
    environment.transaction = <Result>(work: () => Result): Promise<Result> => {
      transactions++;
      return transaction(work);
    };
    await Promise.all(Array.from({ length: 40 }, (_, index) => group.run(put(Buffer.of(1, index)))));
    expect(transactions).toBeLessThan(5);
  });

  it('undoes all of a change that throws half way, and nothing of its neighbours', async () => {
    const results = await Promise.allSettled([
      group.run(put(Buffer.of(1))),
      group.run((tables) => {
        put(Buffer.of(2))(tables);
        throw new Error('half way');
      }),
      group.run(put(Buffer.of(3))),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect([1, 2, 3].map((byte) => has(Buffer.of(byte)))).toEqual([true, false, true]);
  });

  it.each([true, false])(
    'refuses the changes of a commit that failed and opens the database anew (begun: %p)',
    async (applies) => {
      failNextCommit(applies);
      const before = database.current.environment;
      const results = await Promise.allSettled([group.run(put(KEY)), group.run(put(KEY))]);
      for (const result of results) {
        expect(result).toMatchObject({
          status: 'rejected',
          reason: { code: 'index-unavailable', cause: { message: 'Input/output error' } },
        });
      }
      expect(database.current.environment).not.toBe(before);
      await group.run(put(Buffer.of(9)));
      expect(has(Buffer.of(9))).toBe(true);
    },
  );

  it('refuses changes while the database cannot be opened, without trying for ever', async () => {
    failNextCommit(true);
    const ensureOpen = database.ensureOpen.bind(database);
    database.ensureOpen = () => {
      throw new Error('cannot open');
    };
    await expect(group.run(put(KEY))).rejects.toMatchObject({ code: 'index-unavailable' });
    await expect(group.run(put(KEY))).rejects.toMatchObject({ code: 'index-unavailable' });
    database.ensureOpen = ensureOpen;
    await group.run(put(KEY));
    expect(has(KEY)).toBe(true);
  });
});
