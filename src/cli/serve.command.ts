import type { AppConfig } from '../config/app-config.js';
import { startApp } from '../create-app.js';

/** Runs the server until it is told to stop; then running requests end, and the process with them. */
export async function serve(config: AppConfig): Promise<void> {
  const app = await startApp(config);
  const { node_count: nodes, redundancy_count: redundancy, storage_directory: directory } = config;
  process.stderr.write(
    `DistributedCloud listens on ${app.url} (API: ${app.url}/docs)\n` +
      `  ${nodes} nodes under ${directory}; any ${redundancy} of them may be lost\n` +
      `  keys in ${String(config.key_ring)}: keep a copy in a safe place, without them no file can be read\n`,
  );
  if (config.peers.length > 0) process.stderr.write('  peers: this version runs all nodes as folders of this one process\n');
  await stopSignal();
  await app.close();
}

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once, as ever. */
async function stopSignal(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  process.once('SIGTERM', () => resolve(undefined));
  process.once('SIGINT', () => resolve(undefined));
  await promise;
}
