import { Logger } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { startApp } from '../create-app.js';
import { DomainError } from '../common/errors.js';
import { startCluster } from '../start-cluster.js';

/** Time that calls to files have to come back after everything is closed. */
const HANGING_MS = 2000;
/** Signals that follow the first one within this time are echoes of it. */
const ECHO_MS = 1000;
/** As a shell reports a process that SIGINT ended. */
const EXIT_INTERRUPTED = 130;

/** Runs the server until it is told to stop; then running requests end, and the process with them. */
export async function serve(config: AppConfig): Promise<void> {
  const app = config.node === null ? await startApp(config) : await startCluster(config);
  const { node_count: nodes, redundancy_count: redundancy, storage_directory: directory } = config;
  process.stderr.write(
    `DistributedCloud listens on ${app.url} (API: ${app.url}/docs)\n` +
      (config.node === null
        ? `  ${nodes} nodes under ${directory}; any ${redundancy} of them may be lost\n`
        : `  node ${config.node} of ${nodes}, under ${directory}; any ${redundancy} of them may be lost\n`) +
      `  keys in ${String(config.key_ring)}: keep a copy in a safe place, without them no file can be read\n`,
  );
  const onHangup = (): void => void app.reload().catch(ignored);
  process.on('SIGHUP', onHangup);
  const signal = await stopSignal();
  process.off('SIGHUP', onHangup);
  const logger = new Logger('Server');
  logger.log({ signal }, 'stops: requests under way may end');
  await app.close();
  logger.log('has stopped');
  // A file call that hangs would keep the process for ever, and process.exit() too, which waits for all threads. What was acknowledged is
  // durable by now, so nothing is lost by ending hard.
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), HANGING_MS).unref();
}

/** Who refuses a configuration has logged why, and goes on with the one before. */
function ignored(error: unknown): void {
  if (!(error instanceof DomainError)) throw error;
}

/** Resolves at the first SIGTERM or SIGINT. A later one ends the process at once; the same one again, as a terminal and npm both send it, does not. */
async function stopSignal(): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  let firstAt: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    const now = performance.now();
    if (firstAt !== undefined && now - firstAt > ECHO_MS) process.exit(EXIT_INTERRUPTED);
    firstAt ??= now;
    resolve(signal);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return promise;
}
