import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/**
 * Below those that systems give to outgoing connections (from 32,768 on Linux): one of these would be taken by the next connection that any process
 * begins, before who is to listen there has started. Each worker of Jest has some of its own.
 */
const [FIRST, EACH, WORKERS] = [20_000, 2000, 6];
const ATTEMPTS = 200;

/** A port of loopback that nobody listens at now. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port as number;
}

/** The same, all different. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const taken = new Map<number, Server>();
  for (let attempt = 0; taken.size < count && attempt < ATTEMPTS; attempt += 1) await take(anyPort(), taken);
  await leave(taken); // held until all are found, so that none comes twice
  if (taken.size < count) throw new Error(`only ${taken.size} of ${count} ports are free`);
  return [...taken.keys()];
}

/** The first of so many in a row. */
export async function freePortRow(count: number): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const first = anyPort(count - 1);
    const taken = new Map<number, Server>();
    for (let port = first; port < first + count; port += 1) await take(port, taken);
    await leave(taken);
    if (taken.size === count) return first;
  }
  throw new Error(`there are no ${count} free ports in a row`);
}

/** @param below how many after it are to be of this worker, too */
function anyPort(below = 0): number {
  return FIRST + (Number(process.env['JEST_WORKER_ID'] ?? 0) % WORKERS) * EACH + randomInt(EACH - below);
}

async function take(port: number, taken: Map<number, Server>): Promise<void> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
    taken.set(port, server);
  } catch {
    // somebody has it
  }
}

async function leave(taken: ReadonlyMap<number, Server>): Promise<void> {
  await Promise.all([...taken.values()].map((server) => once(server.close(), 'close')));
}
