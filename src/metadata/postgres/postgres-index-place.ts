import { rmSync } from 'node:fs';
import { DomainError } from '../../common/errors.js';
import { IndexPlace, type IndexBuilding } from '../index-place.js';
import type { TransferableStore } from '../moving/index-transfer.js';
import { type OpeningPurpose, TO_USE } from '../moving/index-transit.js';
import { onPrimary, type TenureOptions } from './begin-tenure.js';
import { claimTerm, prepareSchema, requireOwnOrNone } from './database-schema.js';
import { takeGatewayLock } from './gateway-lock.js';
import { PostgresMetadataStore } from './postgres.metadata-store.js';

const SCHEMA = 'dcloud';
const BUILDING = 'dcloud_rebuilding';

export interface PostgresPlaceOptions extends Omit<TenureOptions, 'schema' | 'mayCreate' | 'isForced'> {
  /** For what is noted on this machine while an index is made anew. */
  readonly notesDirectory: string;
}

/** The index in a schema of a database. */
export class PostgresIndexPlace extends IndexPlace {
  override readonly engine = 'postgres';
  override readonly isLocal = false;

  constructor(private readonly options: PostgresPlaceOptions) {
    super();
  }

  override open(mayCreate: boolean, purpose: OpeningPurpose = TO_USE): Promise<TransferableStore> {
    return PostgresMetadataStore.open({ ...this.options, schema: SCHEMA, mayCreate, purpose });
  }

  /** Looks first: who makes an index anew where none is has the lock by right. */
  override async seize(): Promise<void> {
    const { clusterId } = this.options;
    const isThere = await onPrimary({ ...this.options, schema: SCHEMA }, (client) => requireOwnOrNone(client, SCHEMA, clusterId));
    if (!isThere) throw new DomainError('storage-missing', 'the database has no index');
    await (await PostgresMetadataStore.open({ ...this.options, schema: SCHEMA, mayCreate: false, isForced: true })).close();
  }

  override claimTerm(known: number): Promise<number> {
    const { clusterId } = this.options;
    return onPrimary({ ...this.options, schema: SCHEMA }, async (client) => {
      await prepareSchema(client, { clusterId, schema: SCHEMA, mayCreate: false }); // an older program's has no room for it
      return claimTerm(client, known);
    });
  }

  /**
   * In a schema beside it. One that was interrupted is begun anew: its notes lie on the machine and its rows do not, and the one must not be
   * taken for the other's.
   */
  override build(): IndexBuilding {
    const { options } = this;
    const directory = options.notesDirectory;
    rmSync(directory, { recursive: true, force: true });
    return {
      directory,
      open: async () => {
        await onPrimary({ ...options, schema: SCHEMA }, async (client) => {
          await takeGatewayLock(client, options.clusterId, false);
          await requireOwnOrNone(client, SCHEMA, options.clusterId);
          await client.query(`DROP SCHEMA IF EXISTS ${BUILDING} CASCADE`);
        });
        return PostgresMetadataStore.open({ ...options, schema: BUILDING, mayCreate: true });
      },
      replace: async () => {
        const kept = `${SCHEMA}_replaced_${Date.now()}`;
        const isThere = await onPrimary({ ...options, schema: SCHEMA }, async (client) => {
          await takeGatewayLock(client, options.clusterId, false);
          await requireOwnOrNone(client, SCHEMA, options.clusterId);
          // One without an index, made beforehand for this user, is in the way all the same.
          const { rowCount } = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [SCHEMA]);
          const isOld = rowCount === 1;
          await client.query('BEGIN');
          if (isOld) await client.query(`ALTER SCHEMA ${SCHEMA} RENAME TO ${kept}`);
          await client.query(`ALTER SCHEMA ${BUILDING} RENAME TO ${SCHEMA}`);
          await client.query('COMMIT');
          return isOld;
        });
        rmSync(directory, { recursive: true, force: true });
        return isThere ? `the schema ${kept} of the database` : undefined;
      },
    };
  }
}
