import { fileURLToPath } from 'node:url';
import type { AppConfig } from '../config/app-config.js';
import { loadConfig } from '../config/load-config.js';

/** Options of every command that needs the configuration. */
export interface ConfigFlags {
  readonly config?: string;
  readonly port?: number;
  readonly node?: number;
}

export function readConfig({ config, port, node }: ConfigFlags): AppConfig {
  return loadConfig({
    defaultsFile: fileURLToPath(new URL('../../config/default.json', import.meta.url)),
    file: config ?? process.env['DCLOUD_CONFIG'],
    environment: process.env,
    flags: { port },
    node,
  });
}
