import { setTimeout as pause } from 'node:timers/promises';
import { DomainError, errorCode, isErrorCode } from '../common/errors.js';
import type { AppConfig } from '../config/app-config.js';
import type { MigrationOrder } from '../migration/migrate-at-rest.js';
import { urlOf } from './server-url.js';
import { ApiClient } from './api-client.js';
import { type ConfigFlags, readConfig } from './config-flags.js';
import { throttled } from './throttled.js';

export interface MigrateFlags extends ConfigFlags, Pick<MigrationOrder, 'from' | 'to'> {
  readonly url?: string;
  readonly json?: boolean;
}

interface Outcome {
  readonly written: number;
  readonly kinds: readonly { readonly kind: string; readonly count: number; readonly digest: string }[];
}

/** As `GET /metadata/migration` answers. */
interface StatusJson extends Outcome {
  readonly state: 'none' | 'running' | 'done' | 'failed';
  readonly progress: Progress | null;
  readonly failure: { readonly code: string; readonly detail: string } | null;
}

interface Progress {
  readonly phase: string;
  readonly kind: string;
  readonly rows: number;
}

const POLL_MS = 300;
const DATABASE_URL = 'DCLOUD_METADATA_URL';

/** `dcloud metadata migrate`: moves the index of the server that runs, or of the store if none does. */
export async function migrateIndex(flags: MigrateFlags): Promise<void> {
  const { from, to, json, url } = flags;
  const config = await readConfigBetween(flags);
  const order = { from, to, url: process.env[DATABASE_URL] };
  const say = throttled();
  const tell = ({ phase, kind, rows }: Progress): void => say(`${phase}: ${kind}, ${rows} rows`);
  const { written, kinds } = await (url === undefined ? moveHere(config, order, tell) : moveAt(url, order, tell));
  if (json === true) {
    process.stdout.write(`${JSON.stringify({ from, to, written, kinds })}\n`);
    return;
  }
  for (const { kind, count, digest } of kinds) process.stdout.write(`${kind}: ${count} on both sides, sha256 ${digest}\n`);
  process.stdout.write(`the index was moved, ${written} rows of it now: set metadata.driver to "${to}" before the next start\n`);
}

/** The url of the database may be that of the engine which is not in use yet, and which the configuration may not name beside the other. */
async function readConfigBetween(flags: ConfigFlags): Promise<AppConfig> {
  try {
    return await readConfig(flags);
  } catch (error) {
    if (errorCode(error) !== 'invalid-config' || process.env[DATABASE_URL] === undefined) throw error;
    return readConfig(flags, { ...process.env, [DATABASE_URL]: undefined });
  }
}

async function moveHere(config: AppConfig, order: MigrationOrder, tell: (progress: Progress) => void): Promise<Outcome> {
  const { migrateAtRest: migrate } = await import('../migration/migrate-at-rest.js');
  try {
    return await migrate(config, order, tell, new AbortController().signal);
  } catch (error) {
    if (errorCode(error) !== 'storage-locked') throw error;
    return moveAt(urlOf(config), order, tell);
  }
}

async function moveAt(url: string, order: MigrationOrder, tell: (progress: Progress) => void): Promise<Outcome> {
  const client = ApiClient.of({ url });
  const path = '/metadata/migration';
  let status = (await client.call({ method: 'POST', path, body: order })) as StatusJson;
  while (status.state === 'running') {
    if (status.progress !== null) tell(status.progress);
    await pause(POLL_MS);
    status = (await client.call({ method: 'GET', path })) as StatusJson;
  }
  if (status.state === 'done') return status;
  const { code, detail } = status.failure ?? { code: 'migration-failed', detail: 'the server was started anew meanwhile' };
  throw new DomainError(isErrorCode(code) ? code : 'migration-failed', detail);
}
