import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { DomainError } from '../../common/errors.js';
import type { ClusterId } from '../../common/ids.js';

/** A process that was killed is let go of when its server sees the end of its connection, which is soon. */
const PATIENCE_MS = 1500;
const PAUSE_MS = 100;

/**
 * That one gateway has the index: a lock of PostgreSQL that is its session's and ends with it. It alone does not keep out a gateway that has
 * slept and does not know yet that its session is over; the tokens of the slots do (docs/adr/0019).
 * @param isForced whether the session of another that has it is ended
 * @throws DomainError `storage-locked`
 */
export async function takeGatewayLock(client: Client, clusterId: ClusterId, isForced: boolean): Promise<void> {
  const key = keyOf(clusterId);
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await tryLock(client, key))) {
    if (isForced) {
      await seizeLock(client, key);
      return;
    }
    if (performance.now() > deadline)
      throw new DomainError('storage-locked', 'another process holds the index in the database: one gateway at a time serves it');
    await pause(PAUSE_MS);
  }
}

async function tryLock(client: Client, key: bigint): Promise<boolean> {
  const { rows } = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [key]);
  return rows[0]?.taken === true;
}

/**
 * Ends the session that has the lock, and in the same message waits for it: its holder, who tries to have it again, comes behind.
 * PostgreSQL shows the two halves of the key. A message of two statements has no parameters.
 */
async function seizeLock(client: Client, key: bigint): Promise<void> {
  await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_locks
     WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND pid <> pg_backend_pid()
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND classid::bigint = ${(key >> 32n) & 0xffffffffn} AND objid::bigint = ${key & 0xffffffffn};
     SELECT pg_advisory_lock(${key})`,
  );
}

function keyOf(clusterId: ClusterId): bigint {
  return createHash('sha256').update(`dcloud gateway ${clusterId}`).digest().readBigInt64BE();
}
