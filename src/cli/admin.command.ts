import { readInitSecret } from '../auth/init-secret.js';
import { DomainError, errorCode } from '../common/errors.js';
import type { AppConfig } from '../config/app-config.js';
import type { startApp } from '../create-app.js';
import { ApiClient, type ApiFlags } from './api-client.js';

interface Initialized {
  readonly account: { readonly name: string };
  readonly token: { readonly token: string };
}

/** `dcloud admin init`: makes the first administrator, of the server that runs, or of the store if none does. */
export async function initAdmin(config: AppConfig, { name, url }: ApiFlags & { readonly name: string }): Promise<void> {
  const { account, token } = (await (config.node === null && url === undefined
    ? initHere(config, name)
    : initAt(url ?? urlOf(config), config, name))) as Initialized;
  process.stderr.write(
    `${account.name} is the administrator. From now on every request needs a token; this one, which may do anything, is shown this once:\n`,
  );
  process.stdout.write(`${token.token}\n`);
}

/** Starts the server for this one call, if it does not run: it cannot be started for other machines before there is an administrator. */
async function initHere(config: AppConfig, name: string): Promise<unknown> {
  const { startApp: start } = (await import('../create-app.js')) as { startApp: typeof startApp };
  let app;
  try {
    // On this machine for a moment, and under no name that a certificate could have.
    const own = { listen: '127.0.0.1', port: 0, tls: null, log_level: 'silent' };
    app = await start(
      Object.freeze(Object.assign(Object.create(Object.getPrototypeOf(config) as object) as AppConfig, config, own)),
    );
  } catch (error) {
    if (errorCode(error) !== 'storage-locked') throw error;
    return initAt(urlOf(config), config, name);
  }
  try {
    return await initAt(app.url, config, name);
  } finally {
    await app.close();
  }
}

async function initAt(url: string, { storage_directory: directory }: AppConfig, name: string): Promise<unknown> {
  const secret = readInitSecret(directory);
  if (secret === undefined) {
    const detail = `${directory} has no admin-init-secret: there is an administrator already, or the process that holds the index runs elsewhere`;
    throw new DomainError('forbidden', detail);
  }
  return new ApiClient(url, secret).call({ method: 'POST', path: '/admin/init', body: { name } });
}

/** Where the server of a configuration is reached from its own machine. */
export function urlOf({ listen, port, tls }: AppConfig): string {
  const host = listen === '0.0.0.0' ? '127.0.0.1' : listen === '::' ? '::1' : listen;
  return `${tls === null ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
