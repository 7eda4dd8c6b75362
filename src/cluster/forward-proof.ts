import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** The header by which a peer says that a request of a client came through it. */
export const FORWARD_HEADER = 'x-dcloud-forwarded';

/** How long a proof holds, and how far the clocks of two peers may differ. */
const WINDOW_MS = 60_000;
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const FORM = /^(\d{1,4})\.(\d{1,15})\.([\w-]{16})\.([\w-]{43})$/;

/**
 * The proof that a request was passed on by a peer: it makes the gateway trust where the request came from, and stops a request from going
 * round. It covers method, path, the peer's number, time and a nonce that is taken once; the body is the client's affair, as it is without
 * a peer between.
 */
export class ForwardProof {
  private readonly key: Buffer;
  /** Nonces of this window and of the one before. */
  private seen: [Set<string>, Set<string>] = [new Set(), new Set()];
  private windowBegan = 0;

  constructor(
    secret: string,
    private readonly now: () => number = Date.now,
  ) {
    this.key = Buffer.from(hkdfSync('sha256', secret, '', 'distributedcloud forwarded request 1', KEY_BYTES));
  }

  /** The header's value for a request that node `number` passes on. */
  sign(number: number, { method, url }: IncomingMessage): string {
    const said = `${number}.${this.now()}.${randomBytes(NONCE_BYTES).toString('base64url')}`;
    return `${said}.${this.mac(said, method, url)}`;
  }

  /** The number of the peer that passed a request on; undefined if none did, or none that can prove it. */
  verify({ headers, method, url }: IncomingMessage): number | undefined {
    const given = headers[FORWARD_HEADER];
    const match = typeof given === 'string' ? FORM.exec(given) : null;
    if (match === null) return undefined;
    const [text, number, time, nonce, mac] = match as unknown as [string, string, string, string, string];
    if (Math.abs(Number(time) - this.now()) > WINDOW_MS) return undefined;
    const expected = this.mac(text.slice(0, -mac.length - 1), method, url);
    if (!timingSafeEqual(Buffer.from(expected), Buffer.from(mac)) || !this.isFirst(nonce)) return undefined;
    return Number(number);
  }

  private mac(said: string, method: string | undefined, url: string | undefined): string {
    return createHmac('sha256', this.key).update(`${said}\n${method}\n${url}`).digest('base64url');
  }

  private isFirst(nonce: string): boolean {
    if (this.now() - this.windowBegan > 2 * WINDOW_MS) {
      this.seen = [new Set(), this.seen[0]];
      this.windowBegan = this.now();
    }
    if (this.seen.some((nonces) => nonces.has(nonce))) return false;
    this.seen[0].add(nonce);
    return true;
  }
}
