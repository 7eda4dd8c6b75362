import { isIPv6 } from 'node:net';
import { Injectable } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { DomainError } from '../common/errors.js';

/** Who or what failures are counted for at once. */
const KEYS_MAX = 16_384;
/** Of an IPv6 address: what one client has all addresses of. */
const GROUPS_OF_CLIENT = 4;

interface Window {
  readonly endsAt: number;
  failures: number;
}

/**
 * Counts failed attempts to be known, for each client and each credential, in windows of fixed length. In bounded memory: of too many, the one
 * counted longest ago is forgotten, so whoever has very many addresses is not held up by this, and the length of the secrets has to do.
 */
@Injectable()
export class AttemptLimiter {
  private readonly windows = new Map<string, Window>();

  constructor(private readonly config: AppConfig) {}

  /** @throws DomainError `too-many-attempts` if as many failed as may */
  check(key: string, now = Date.now()): void {
    const window = this.windowOf(key, now);
    if (window === undefined || window.failures < this.config.limits.failed_attempts_max) return;
    const retryAfterSeconds = Math.max(1, Math.ceil((window.endsAt - now) / 1000));
    throw new DomainError('too-many-attempts', 'too many attempts failed: wait before the next one', { retryAfterSeconds });
  }

  /** Counts a failure. */
  failed(key: string, now = Date.now()): void {
    const window = this.windowOf(key, now);
    if (window !== undefined) {
      window.failures += 1;
      return;
    }
    this.windows.set(key, { endsAt: now + this.config.limits.failed_attempts_window_ms, failures: 1 });
    for (const [oldest] of this.windows) {
      if (this.windows.size <= KEYS_MAX) return;
      this.windows.delete(oldest);
    }
  }

  private windowOf(key: string, now: number): Window | undefined {
    const window = this.windows.get(key);
    if (window === undefined || window.endsAt > now) return window;
    this.windows.delete(key);
    return undefined;
  }
}

/** The key of a client: its address; of IPv6 the network, since each client has one to itself. */
export function clientKey(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '');
  return isIPv6(plain) ? `client ${networkOf(plain)}` : `client ${plain}`;
}

function networkOf(address: string): string {
  const [head = '', tail] = address.split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - first.length - last.length)).fill('0');
  return [...first, ...zeros, ...last]
    .slice(0, GROUPS_OF_CLIENT)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
