import { hostname } from 'node:os';

const LOOPBACK = /^(?:localhost|[a-z0-9-]+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * The names by which a server is called that believes whoever is on its machine. A page from elsewhere can have the browser ask this machine under
 * a name of its own (DNS rebinding), and would then pass for a user of it; but it cannot send another name.
 */
export class OwnHosts {
  private readonly names: ReadonlySet<string>;
  /** The header of the last one that was right: nearly all have the same. */
  private last: string | undefined;

  /** @param names beside those of the loopback */
  constructor(names: readonly string[]) {
    this.names = new Set([...names, hostname()].map((name) => name.toLowerCase()));
  }

  /** @param header `Host` of a request; without one it is from no browser */
  has(header: string | undefined): boolean {
    if (header === undefined || header === this.last) return true;
    const name = header.replace(/:\d*$/, '').toLowerCase();
    if (!LOOPBACK.test(name) && !this.names.has(name)) return false;
    this.last = header;
    return true;
  }
}
