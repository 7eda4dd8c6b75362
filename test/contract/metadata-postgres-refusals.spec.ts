import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Client } from 'pg';
import { DomainError, errorCode } from '../../src/common/errors.js';
import { newId, type ClusterId } from '../../src/common/ids.js';
import type { TenureOptions } from '../../src/metadata/postgres/begin-tenure.js';
import { parseDatabaseUrl } from '../../src/config/database-url.js';
import { MIGRATIONS } from '../../src/metadata/postgres/database-schema.js';
import { PostgresIndexPlace } from '../../src/metadata/postgres/postgres-index-place.js';
import { TestAuthority } from '../support/certificates.js';
import { freePort } from '../support/free-port.js';
import { createFile, NEVER } from '../support/metadata-fixtures.js';
import { openPostgresStore } from '../support/postgres-store.js';
import { PostgresServer } from '../support/postgres.js';

let server: PostgresServer;
let schemas = 0;

beforeAll(async () => {
  server = await PostgresServer.start();
});

afterAll(() => server.dispose());

const clusterId = newId<ClusterId>();

/** What is refused at the opening, with everything that a log might show of it. */
async function refusal(url: string, options: Partial<TenureOptions> = {}): Promise<DomainError> {
  const error = await openPostgresStore(url, { clusterId, ...options }).then(
    (store) => store.close(),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DomainError);
  expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(server.password);
  return error as DomainError;
}

const newSchema = (): string => `r${(schemas += 1)}`;

it('has the settings that the index in PostgreSQL takes for granted, whatever those of the database are', async () => {
  const url = await server.createDatabase();
  const database = url.split('/').at(-1)!;
  await server.query(`ALTER DATABASE ${database} SET default_transaction_isolation = 'serializable'`);
  await server.query(`ALTER DATABASE ${database} SET bytea_output = 'escape'`);
  await server.query(`ALTER DATABASE ${database} SET synchronous_commit = off`);
  const query = jest.spyOn(Client.prototype, 'query');
  const store = await openPostgresStore(url, { clusterId });
  const clients = new Set(query.mock.contexts as unknown as Client[]);
  query.mockRestore();
  const settings = `SELECT current_setting('transaction_isolation') AS isolation, current_setting('bytea_output') AS bytea,
    current_setting('synchronous_commit') AS sync`;
  for (const client of clients)
    expect((await client.query(settings)).rows).toEqual([{ isolation: 'read committed', bytea: 'hex', sync: 'on' }]);
  expect(clients.size).toBeGreaterThan(1); // that of the lock, and of the pool
  await store.close();
});

it('makes the index anew also where its schema is there beforehand and is empty', async () => {
  const url = await server.createDatabase();
  await server.query('CREATE SCHEMA dcloud', url);
  const notesDirectory = mkdtempSync(join(server.directory, 'notes-'));
  const limits = { connections: 2, callMsMax: 10_000 };
  const place = new PostgresIndexPlace({ url: parseDatabaseUrl(url), clusterId, term: 1, notesDirectory, ...limits });
  const building = place.build();
  const rebuilt = await building.open();
  const { file } = await createFile(rebuilt, 'a');
  await rebuilt.close();
  expect(await building.replace()).toContain('dcloud_replaced_');
  const store = await place.open(false);
  expect((await store.find(file.id, NEVER))?.file).toEqual(file);
  await store.close();
});

it('gives each that would take over a term of its own, and leaves the gateway as it is', async () => {
  const url = parseDatabaseUrl(await server.createDatabase());
  const notesDirectory = join(server.directory, 'no-notes');
  const placeOf = (term: number): PostgresIndexPlace =>
    new PostgresIndexPlace({ url, clusterId, term, notesDirectory, connections: 2, callMsMax: 10_000 });
  await expect(placeOf(3).claimTerm(3)).rejects.toMatchObject({ code: 'storage-missing' }); // to make it anew is for a person
  const gateway = await placeOf(3).open(true);
  await createFile(gateway, 'a');
  const claimed = await Promise.all([3, 3, 1, 3].map((known) => placeOf(3).claimTerm(known)));
  expect(claimed.toSorted((one, other) => one - other)).toEqual([4, 5, 6, 7]);
  expect(await placeOf(3).claimTerm(20)).toBe(21);
  await createFile(gateway, 'b');
  await gateway.close();
  await (await placeOf(3).open(false)).close(); // nobody has entered a later one
  await (await placeOf(21).open(false)).close();
  await expect(placeOf(3).open(false)).rejects.toThrow('later term');
});

describe('the index in PostgreSQL is refused at start', () => {
  it.each([
    ['a wrong password', () => server.url().replace(server.password, 'wrong-secret'), 'password authentication failed'],
    ['a database that is not there', () => server.url('nowhere'), 'database "nowhere" does not exist'],
    [
      'a user that is not there',
      () => server.url().replace('dcloud:', 'nobody:'),
      'password authentication failed for user "nobody"',
    ],
  ])('with %s, by its name', async (_, url, reason) => {
    const error = await refusal(url());
    expect(error.code).toBe('storage-unusable');
    expect(error.detail).toContain(reason);
    expect(error.detail).toContain(`127.0.0.1:${server.port}`);
    expect(inspect(error, { depth: 20 })).not.toContain('wrong-secret');
  });

  it('where nobody listens, with each of the hosts named', async () => {
    const [first, second] = [await freePort(), await freePort()];
    const error = await refusal(`postgres://dcloud:${server.password}@127.0.0.1:${first},localhost:${second}/postgres`);
    expect(error.code).toBe('storage-unusable');
    expect(error.detail).toMatch(
      new RegExp(`^the database postgres as user dcloud: 127.0.0.1:${first}: .*ECONNREFUSED.*; localhost:${second}: `),
    );
  });

  it('without TLS on the other side, if it is asked for', async () => {
    const error = await refusal(`${server.url()}?sslmode=require`);
    expect(error.detail).toContain('does not support SSL');
  });

  it('over TLS by whoever cannot prove to be the one that is meant', async () => {
    const directory = mkdtempSync(join(server.directory, 'tls-'));
    const [ours, another] = ['ours', 'another'].map((name) => new TestAuthority(directory, name)) as [
      TestAuthority,
      TestAuthority,
    ];
    const { certificate, key } = ours.issue({ name: 'database', subjects: 'DNS:localhost' });
    await server.serveTls(readFileSync(certificate), readFileSync(key));
    const at = (host: string, query: string): string => `${server.url().replace('127.0.0.1', host)}?${query}`;
    const trusting = (authority: TestAuthority): string => `sslrootcert=${encodeURIComponent(authority.certificate)}`;
    const opens = async (url: string): Promise<void> =>
      (await openPostgresStore(url, { clusterId, schema: newSchema() })).close();
    await opens(at('localhost', `sslmode=verify-full&${trusting(ours)}`));
    await opens(at('127.0.0.1', `sslmode=verify-ca&${trusting(ours)}`));
    await opens(at('127.0.0.1', 'sslmode=require'));
    expect((await refusal(at('127.0.0.1', `sslmode=verify-full&${trusting(ours)}`))).detail).toMatch(/IP|altname/i);
    expect((await refusal(at('localhost', `sslmode=verify-ca&${trusting(another)}`))).detail).toMatch(/certificate/);
    expect((await refusal(at('localhost', 'sslmode=verify-full&sslrootcert=%2Fnowhere.pem'))).detail).toContain('nowhere.pem');
  });

  it('if it is missing while the nodes hold data, and is not made', async () => {
    const schema = newSchema();
    expect((await refusal(server.url(), { schema, mayCreate: false })).code).toBe('storage-missing');
    expect(await server.query(`SELECT FROM pg_namespace WHERE nspname = '${schema}'`)).toEqual([]);
  });

  it('if it is another cluster’s, and stays as it is', async () => {
    const schema = newSchema();
    await (await openPostgresStore(server.url(), { clusterId, schema })).close();
    expect((await refusal(server.url(), { schema, clusterId: newId<ClusterId>() })).code).toBe('storage-mismatch');
    await (await openPostgresStore(server.url(), { clusterId, schema, mayCreate: false })).close();
  });

  it('if it has a later schema; one of an earlier is brought up to date, with what is in it', async () => {
    const schema = newSchema();
    const store = await openPostgresStore(server.url(), { clusterId, schema });
    const { file } = await createFile(store, 'a');
    await store.close();
    const migrations = [...MIGRATIONS, 'ALTER TABLE files ADD COLUMN later int'];
    const later = await openPostgresStore(server.url(), { clusterId, schema, migrations });
    expect((await later.find(file.id, NEVER))?.file).toEqual(file);
    await later.close();
    const error = await refusal(server.url(), { schema });
    expect(error.code).toBe('storage-unusable');
    expect(error.detail).toContain(`the index has schema ${MIGRATIONS.length + 1}; this program is older`);
    await (await openPostgresStore(server.url(), { clusterId, schema, migrations })).close();
  });

  it('if a migration fails, which then has done nothing', async () => {
    const schema = newSchema();
    await (await openPostgresStore(server.url(), { clusterId, schema })).close();
    const migrations = [...MIGRATIONS, 'CREATE TABLE half (); SELECT 1 / 0'];
    expect((await refusal(server.url(), { schema, migrations })).detail).toContain('division by zero');
    expect(await server.query(`SELECT FROM pg_tables WHERE schemaname = '${schema}' AND tablename = 'half'`)).toEqual([]);
    await (await openPostgresStore(server.url(), { clusterId, schema })).close();
  });

  it('in a database of another encoding, and one that takes no changes', async () => {
    await server.query(`CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0`);
    expect((await refusal(server.url('latin'))).detail).toContain('the encoding LATIN1: it must be UTF8');
    const url = await server.createDatabase();
    await server.query(`ALTER DATABASE ${url.split('/').at(-1)} SET default_transaction_read_only = on`);
    expect((await refusal(url)).detail).toContain('it is read-only');
  });

  it('while another gateway has it, until that is gone', async () => {
    const schema = newSchema();
    const first = await openPostgresStore(server.url(), { clusterId, schema });
    const error = await refusal(server.url(), { schema });
    expect(error.code).toBe('storage-locked');
    expect(error.detail).toContain('one gateway at a time');
    await createFile(first, 'still works');
    await first.close();
    await (await openPostgresStore(server.url(), { clusterId, schema })).close();
  });

  it('to one of two that begin it at the same time', async () => {
    const schema = newSchema();
    const both = await Promise.allSettled([1, 2].map(() => openPostgresStore(server.url(), { clusterId, schema })));
    const opened = both.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const refused = both.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    expect(refused).toMatchObject([{ code: 'storage-locked' }]);
    await createFile(opened[0]!, 'a');
    await opened[0]!.close();
  });

  it('to all but one of several clusters that begin at the same time in one place', async () => {
    const schema = newSchema();
    const all = await Promise.allSettled(
      [1, 2, 3, 4].map(() => openPostgresStore(server.url(), { clusterId: newId<ClusterId>(), schema })),
    );
    for (const one of all) if (one.status === 'fulfilled') await one.value.close();
    const codes = all.map((one) => (one.status === 'fulfilled' ? 'none' : errorCode(one.reason)));
    expect(codes.toSorted()).toEqual(['none', ...Array<string>(3).fill('storage-mismatch')]);
  });

  it('to none of two clusters that begin at the same time in schemas of their own', async () => {
    const stores = await Promise.all(
      [newSchema(), newSchema()].map((schema) => openPostgresStore(server.url(), { clusterId: newId<ClusterId>(), schema })),
    );
    for (const store of stores) await createFile(store, 'a');
    for (const store of stores) await store.close();
  });
});
