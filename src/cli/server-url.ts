import type { AppConfig } from '../config/app-config.js';

/** Where the server of a configuration is reached from its own machine. */
export function urlOf({ listen, port, tls }: AppConfig): string {
  const host = listen === '0.0.0.0' ? '127.0.0.1' : listen === '::' ? '::1' : listen;
  return `${tls === null ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
