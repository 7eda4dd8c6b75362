import type { AppConfig } from '../config/app-config.js';

const PASSWORD = /^(postgres(?:ql)?:\/\/[^:@/?#]*):[^@/?#]*@/;

/** The configuration as a file that can be given to `--config`, without what is secret: the cluster's secret and the database's password. */
export function publicConfig(config: AppConfig): string {
  return `${JSON.stringify(config, withoutSecrets, 2)}\n`;
}

function withoutSecrets(key: string, value: unknown): unknown {
  if (key === 'node') return undefined; // which is no key of the file
  if (key === 'cluster_secret') return null;
  return key === 'url' && typeof value === 'string' ? value.replace(PASSWORD, '$1@') : value;
}
