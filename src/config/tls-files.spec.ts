import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type CertificateFiles, TestAuthority } from '../../test/support/certificates.js';
import type { TlsConfig } from './app-config.js';
import { readTls } from './tls-files.js';

let directory: string;
let authority: TestAuthority;
let good: CertificateFiles;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'dcloud-tls-'));
  authority = new TestAuthority(directory, 'authority');
  good = authority.issue({ name: 'good', days: 20 });
});

afterAll(() => rmSync(directory, { recursive: true }));

function refusal(changes: Partial<TlsConfig>, nowMs = Date.now()): string {
  try {
    readTls({ ...good, ca: authority.certificate, ...changes }, nowMs);
  } catch (error) {
    expect(error).toMatchObject({ name: 'DomainError', code: 'invalid-config' });
    return (error as { detail: string }).detail;
  }
  throw new Error('it was taken');
}

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

describe('the files of tls', () => {
  it('are taken when they belong together, also with the certificates of those in between', () => {
    const { server, expiresAt } = readTls({ ...good, ca: null }, Date.now());
    expect(server).toMatchObject({ cert: readFileSync(good.certificate, 'utf8'), minVersion: 'TLSv1.2' });
    expect((expiresAt - Date.now()) / 86_400_000).toBeCloseTo(20, 0);
    const chain = file('chain.pem', readFileSync(good.certificate, 'utf8') + readFileSync(authority.certificate, 'utf8'));
    expect(readTls({ ...good, certificate: chain, ca: chain }, Date.now()).server.cert).toContain('CERTIFICATE');
  });

  it('are refused with the key, the value and the rule', () => {
    const other = authority.issue({ name: 'other' });
    const old = authority.issue({ name: 'old', days: -1 });
    const nothing = file('nothing.pem', 'nothing');
    const broken = file('broken.pem', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    expect(refusal({ certificate: '/nowhere/a.pem' })).toMatch(
      /^tls\.certificate is "\/nowhere\/a\.pem": it must be a file .*ENOENT/,
    );
    expect(refusal({ key: directory })).toMatch(/^tls\.key is ".*": it must be a file that can be read: EISDIR/);
    expect(refusal({ ca: '/nowhere/a.pem' })).toMatch(/^tls\.ca is "\/nowhere.*ENOENT/);
    for (const path of [nothing, broken]) {
      expect(refusal({ certificate: path })).toMatch(/^tls\.certificate is .*in PEM, that of this server first/);
      expect(refusal({ ca: path })).toMatch(/^tls\.ca is .*must hold certificates in PEM/);
    }
    expect(refusal({ key: good.certificate })).toMatch(/^tls\.key is .*private key in PEM that is not encrypted/);
    expect(refusal({ key: other.key })).toMatch(
      /^tls\.key is .*other\.key": it must be the key of the certificate in .*good\.pem/,
    );
    expect(refusal(old)).toMatch(/^tls\.certificate is .*old\.pem": it must not be expired, and ended at Feb {2}1 00:00:00 2020/);
    expect(refusal({}, Date.now() - 86_400_000)).toMatch(/^tls\.certificate is .*must be valid already.*clock/);
  });

  it('are refused if everybody may read the key', () => {
    const key = file('open.key', readFileSync(good.key, 'utf8'));
    chmodSync(key, 0o644);
    expect(refusal({ key })).toMatch(/^tls\.key is .*chmod o-rwx/);
    chmodSync(key, 0o640);
    expect(readTls({ ...good, key, ca: null }, Date.now()).server.key).toContain('PRIVATE KEY');
  });
});
