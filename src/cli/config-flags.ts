import { fileURLToPath } from 'node:url';
import { packageFile } from '../common/package-file.js';
import type { AppConfig } from '../config/app-config.js';

/** Options of every command that needs the configuration. */
export interface ConfigFlags {
  readonly config?: string;
  readonly port?: number;
  readonly node?: number;
}

/** What checks it is loaded by need: it would take a third of the start of all the other commands. */
export async function readConfig({ config, port, node }: ConfigFlags, environment = process.env): Promise<AppConfig> {
  const { loadConfig } = await import('../config/load-config.js');
  return loadConfig({
    defaultsFile: fileURLToPath(packageFile('config/default.json')),
    file: config ?? environment['DCLOUD_CONFIG'],
    environment,
    flags: { port },
    node,
  });
}
