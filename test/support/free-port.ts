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
  const servers: Server[] = [];
  const ports: number[] = [];
  for (let attempt = 0; ports.length < count && attempt < ATTEMPTS; attempt += 1) {
    const port = FIRST + (Number(process.env['JEST_WORKER_ID'] ?? 0) % WORKERS) * EACH + randomInt(EACH);
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch {
      continue; // somebody has it
    }
    servers.push(server);
    ports.push(port);
  }
  // Held until all are found, so that none comes twice.
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  if (ports.length < count) throw new Error(`only ${ports.length} of ${count} ports are free`);
  return ports;
}
