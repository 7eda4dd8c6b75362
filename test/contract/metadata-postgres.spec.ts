import { afterAll, beforeAll } from '@jest/globals';
import { newId, type ClusterId } from '../../src/common/ids.js';
import { describeOwners } from '../support/metadata-owners.contract.js';
import { describeMetadataStore, type MetadataHarness } from '../support/metadata-store.contract.js';
import { openPostgresStore } from '../support/postgres-store.js';
import { PostgresServer } from '../support/postgres.js';

let server: PostgresServer;

beforeAll(async () => {
  server = await PostgresServer.start();
});

afterAll(() => server.dispose());

let schemas = 0;

/** A schema of its own, which is made faster than a database. */
const makeHarness = (): Promise<MetadataHarness> => {
  const [clusterId, schema] = [newId<ClusterId>(), `s${(schemas += 1)}`];
  return Promise.resolve({
    open: () => openPostgresStore(server.url(), { clusterId, schema, connections: 6 }),
    dispose: () => Promise.resolve(),
  });
};

describeMetadataStore('PostgresMetadataStore', makeHarness);
describeOwners('PostgresMetadataStore', makeHarness);
