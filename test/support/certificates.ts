import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate and its key, in files. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateWishes {
  readonly name: string;
  /** Defaults to the addresses of this machine. */
  readonly subjects?: string;
  /** How long it is valid. It ended long ago if this is negative. */
  readonly days?: number;
}

const LOCAL = 'IP:127.0.0.1,IP:::1,DNS:localhost';
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
/** Of a certificate that has ended. */
const LONG_AGO = ['-startdate', '20200101000000Z', '-enddate', '20200201000000Z'];

/** An authority that nobody else knows, in a folder of its own. */
export class TestAuthority implements CertificateFiles {
  readonly certificate: string;
  readonly key: string;
  private readonly directory: string;
  private serial = 1;

  constructor(directory: string, name: string) {
    this.directory = directory;
    this.certificate = join(directory, `${name}.pem`);
    this.key = join(directory, `${name}.key`);
    const files = ['-keyout', this.key, '-out', this.certificate];
    openssl(['req', '-x509', ...NEW_KEY, ...files, '-days', '30', '-subj', `/CN=${name}`]);
  }

  issue({ name, subjects = LOCAL, days = 30 }: CertificateWishes): CertificateFiles {
    const [certificate, key, request] = ['pem', 'key', 'csr'].map((kind) => join(this.directory, `${name}.${kind}`)) as [
      string,
      string,
      string,
    ];
    openssl(['req', '-new', ...NEW_KEY, '-keyout', key, '-out', request, '-subj', `/CN=${name}`]);
    const settings = join(this.directory, 'ca.cnf');
    writeFileSync(join(this.directory, 'ca.index'), '');
    writeFileSync(join(this.directory, 'ca.serial'), `${(this.serial += 1).toString(16).padStart(4, '0')}\n`);
    writeFileSync(
      settings,
      `[ca]\ndefault_ca=it\n[it]\ndatabase=${this.directory}/ca.index\nserial=${this.directory}/ca.serial\nnew_certs_dir=${this.directory}\n` +
        `default_md=sha256\npolicy=any\nx509_extensions=more\nunique_subject=no\n[any]\ncommonName=supplied\n[more]\nsubjectAltName=${subjects}\n`,
    );
    const by = ['-config', settings, '-cert', this.certificate, '-keyfile', this.key];
    const validity = days < 0 ? LONG_AGO : ['-days', String(days)];
    openssl(['ca', '-batch', '-notext', ...by, ...validity, '-in', request, '-out', certificate]);
    return { certificate, key };
  }
}

function openssl(args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 30_000 });
}
