import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import proxyAddr from 'proxy-addr';
import { noteProxied } from './forwarded.js';

/** Finds out who is behind the proxies that are trusted. What others say in `X-Forwarded-For` is nothing: whoever wants writes it. */
export class TrustedProxies {
  private readonly trust: ReturnType<typeof proxyAddr.compile> | undefined;

  /** @param addresses of the proxies, and networks of them */
  constructor(addresses: readonly string[]) {
    this.trust = addresses.length === 0 ? undefined : proxyAddr.compile(addresses);
  }

  /** Notes whose request it is, if one of the proxies says so. */
  see(request: IncomingMessage): void {
    if (this.trust === undefined) return;
    const [, ...said] = proxyAddr.all(request, this.trust);
    // Each proxy adds whom it had the request from behind what it was told, so the last one before a stranger's words is the client.
    const client = said.findLast((address) => isIP(address) !== 0);
    if (client !== undefined) noteProxied(request, client);
  }
}
