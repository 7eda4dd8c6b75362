import type { AppConfig } from '../config/app-config.js';

const PASSWORD = /^(postgres(?:ql)?:\/\/[^:@/?#]*):[^@/?#]*@/;

/** The configuration as a file that can be given to `--config`, without what is secret: the cluster's secret and the database's password. */
export function publicConfig(config: AppConfig): string {
  const { metadata, node: _, ...rest } = config;
  const url = metadata.url === null ? null : metadata.url.replace(PASSWORD, '$1@');
  return `${JSON.stringify({ ...rest, cluster_secret: null, metadata: { ...metadata, url } }, null, 2)}\n`;
}
