import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { DomainError } from '../common/errors.js';
import type { TlsConfig } from './app-config.js';

/** No older version of TLS is spoken. */
const VERSION_MIN = 'TLSv1.2';
/** What others than the owner and its group must not have of the key's file. */
const OTHERS = 0o007;
const CERTIFICATES = /-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----/gs;

/** What the files of a configuration hold, checked. */
export interface TlsMaterial {
  /** For `createServer` and `setSecureContext`. */
  readonly server: { readonly cert: string; readonly key: string; readonly minVersion: typeof VERSION_MIN };
  /** For connections to peers. */
  readonly client: SecureContext;
  /** When the certificate ends, milliseconds since 1970. */
  readonly expiresAt: number;
}

/**
 * Reads certificate, key and authorities.
 * @throws DomainError `invalid-config` that names the key, the value and the rule
 */
export function readTls(config: TlsConfig, nowMs: number): TlsMaterial {
  const cert = read('certificate', config.certificate);
  const leaf = certificateIn(cert, config);
  const key = read('key', config.key);
  if (!leaf.checkPrivateKey(privateKeyIn(key, config)))
    refuse('key', config.key, `it must be the key of the certificate in ${config.certificate}, and is that of another one`);
  if (process.platform !== 'win32' && (statSync(config.key).mode & OTHERS) !== 0)
    refuse('key', config.key, 'others than its owner and its group must have no rights to it (chmod o-rwx)');
  const expiresAt = leaf.validToDate.getTime();
  if (expiresAt <= nowMs) refuse('certificate', config.certificate, `it must not be expired, and ended at ${leaf.validTo}`);
  if (leaf.validFromDate.getTime() > nowMs)
    refuse('certificate', config.certificate, `it must be valid already, and is from ${leaf.validFrom} on: is the clock right?`);
  const server = { cert, key, minVersion: VERSION_MIN } as const;
  try {
    createSecureContext(server);
  } catch (cause) {
    refuse('certificate', config.certificate, `TLS must be able to use it: ${(cause as Error).message}`, cause);
  }
  return { server, client: createSecureContext({ ca: authoritiesOf(config), minVersion: VERSION_MIN }), expiresAt };
}

function certificateIn(text: string, { certificate: path }: TlsConfig): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (cause) {
    return refuse('certificate', path, 'it must hold certificates in PEM, that of this server first', cause);
  }
}

function privateKeyIn(text: string, { key: path }: TlsConfig): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (cause) {
    return refuse('key', path, 'it must hold a private key in PEM that is not encrypted', cause);
  }
}

/** Those that the configuration names, or else those of the system and of Node.js. */
function authoritiesOf({ ca: path }: TlsConfig): string[] {
  if (path === null) return [...new Set([...getCACertificates('system'), ...getCACertificates('default')])];
  const found = read('ca', path).match(CERTIFICATES) ?? [];
  try {
    for (const certificate of found) new X509Certificate(certificate);
  } catch (cause) {
    refuse('ca', path, 'it must hold certificates in PEM', cause);
  }
  if (found.length === 0) refuse('ca', path, 'it must hold certificates in PEM');
  return found;
}

function read(key: keyof TlsConfig, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    return refuse(key, path, `it must be a file that can be read: ${(cause as Error).message}`, cause);
  }
}

function refuse(key: keyof TlsConfig, path: string, rule: string, cause?: unknown): never {
  throw new DomainError('invalid-config', `tls.${key} is "${path}": ${rule}`, cause === undefined ? undefined : { cause });
}
