import type { SecureContext } from 'node:tls';
import { Logger } from '@nestjs/common';
import type { AppConfig } from './app-config.js';
import { readTls, type TlsMaterial } from './tls-files.js';

const DAY_MS = 86_400_000;
/** Days before the end of the certificate from which on that is said. */
const WARN_DAYS = 14;

/** The certificates of this process at this moment; a reload reads them anew. */
export class LiveTls {
  private readonly logger = new Logger('Tls');
  private readonly listeners = new Set<() => void>();
  private timer: NodeJS.Timeout | undefined;

  private constructor(
    private readonly config: AppConfig['tls'],
    private material: TlsMaterial | undefined,
  ) {}

  /** @throws DomainError `invalid-config` */
  static read({ tls }: Pick<AppConfig, 'tls'>): LiveTls {
    return new LiveTls(tls, tls === null ? undefined : readTls(tls, Date.now()));
  }

  /** Of a process that speaks HTTP in clear. */
  static none(): LiveTls {
    return new LiveTls(null, undefined);
  }

  get scheme(): 'http' | 'https' {
    return this.material === undefined ? 'http' : 'https';
  }

  /** What a server needs to speak TLS; undefined if it is not to. */
  get server(): TlsMaterial['server'] | undefined {
    return this.material?.server;
  }

  /** What a connection to a peer needs to know the peer by. */
  get client(): SecureContext | undefined {
    return this.material?.client;
  }

  /** The files that a reload reads. */
  get paths(): readonly string[] {
    const { certificate, key, ca } = this.config ?? {};
    return [certificate, key, ca].filter((path) => typeof path === 'string');
  }

  /**
   * Reads the files anew.
   * @returns what takes them over: connections that there are keep what they began with
   * @throws DomainError `invalid-config`; then all stays as it was
   */
  prepare(): () => void {
    if (this.config === null) return () => undefined;
    const material = readTls(this.config, Date.now());
    return () => {
      this.material = material;
      for (const listener of this.listeners) listener();
      this.logger.log({ until: new Date(material.expiresAt).toISOString() }, 'the certificates were read anew');
      this.warn();
    };
  }

  /** @returns what ends it */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Says each day that the certificate ends soon, from now on. */
  watch(): void {
    if (this.material === undefined) return;
    this.warn();
    this.timer ??= setInterval(() => this.warn(), DAY_MS).unref();
  }

  close(): void {
    clearInterval(this.timer);
    this.listeners.clear();
  }

  private warn(): void {
    const days = ((this.material?.expiresAt ?? Infinity) - Date.now()) / DAY_MS;
    if (days < WARN_DAYS)
      this.logger.warn({ days: Math.floor(days) }, 'the certificate of this server ends soon: put a new one there, and reload');
  }
}
