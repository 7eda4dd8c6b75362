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

const makeHarness = async (): Promise<MetadataHarness> => {
  const url = await server.createDatabase();
  const clusterId = newId<ClusterId>();
  return { open: () => openPostgresStore(url, { clusterId }), dispose: () => Promise.resolve() };
};

describeMetadataStore('PostgresMetadataStore', makeHarness);
describeOwners('PostgresMetadataStore', makeHarness);
