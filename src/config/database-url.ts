/** A host of the database. */
export interface DatabaseHost {
  readonly host: string;
  readonly port: number;
}

/** How sure the program has to be of whom it talks to; as libpq has them. */
export type SslMode = 'disable' | 'require' | 'verify-ca' | 'verify-full';

/** What `metadata.url` says. */
export interface DatabaseUrl {
  /** Of these the one that takes changes is used. */
  readonly hosts: readonly DatabaseHost[];
  readonly user: string;
  readonly password: string | undefined;
  readonly database: string;
  readonly sslMode: SslMode;
  /** File of the authorities by which the server is known; absent: those of the system. */
  readonly caFile: string | undefined;
}

const SHAPE = /^postgres(?:ql)?:\/\/(?:([^:@/?#]*)(?::([^@/?#]*))?@)?([^@/?#]*)\/([^/?#]*)(?:\?([^#]*))?$/;
const HOST = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/;
const PORT = 5432;
const PORT_MAX = 65_535;
const SSL_MODES: ReadonlySet<string> = new Set<SslMode>(['disable', 'require', 'verify-ca', 'verify-full']);
const LOOPBACK = /^(?:localhost|::1|127\.[0-9.]+)$/;

/** A url with several hosts is none to `URL`, so it is read here. @throws Error whose message has nothing of a password */
export function parseDatabaseUrl(text: string): DatabaseUrl {
  const [, user = '', password, authority, database = '', query = ''] = SHAPE.exec(text) ?? [];
  if (authority === undefined) throw new Error('it must be like postgres://user:password@host:5432/database');
  const hosts = authority.split(',').map(parseHost);
  const options = parseOptions(query);
  const isLocal = hosts.every(({ host }) => LOOPBACK.test(host));
  const settings = {
    hosts,
    user: required(user, 'user'),
    password: password === undefined ? undefined : decode(password),
    database: required(database, 'database'),
    sslMode: options.sslMode ?? (isLocal ? 'disable' : 'verify-full'),
    caFile: options.caFile,
  };
  if (settings.caFile !== undefined && !settings.sslMode.startsWith('verify-'))
    throw new Error(`it has sslrootcert, which sslmode=${settings.sslMode} would not look at`);
  return settings;
}

function required(text: string, what: string): string {
  if (text === '') throw new Error(`it names no ${what}`);
  return decode(text);
}

function parseHost(text: string): DatabaseHost {
  const [, ipv6, name, port] = HOST.exec(text) ?? [];
  const host = ipv6 ?? name;
  if (host === undefined) throw new Error('each of its hosts must be a name or an address, with a port behind a colon or none');
  const number = port === undefined ? PORT : Number(port);
  if (number < 1 || number > PORT_MAX) throw new Error(`its port is ${number}: it must be from 1 to ${PORT_MAX}`);
  return { host, port: number };
}

function parseOptions(query: string): { readonly sslMode?: SslMode; readonly caFile?: string } {
  const found: { sslMode?: SslMode; caFile?: string } = {};
  for (const part of query.split('&').filter((text) => text !== '')) {
    const [key = '', value = ''] = part.split('=', 2).map(decode);
    if (key === 'sslmode') {
      if (!SSL_MODES.has(value)) throw new Error(`its sslmode must be one of ${[...SSL_MODES].join(', ')}`);
      found.sslMode = value as SslMode;
    } else if (key === 'sslrootcert' && value !== '') found.caFile = value;
    else if (key !== 'target_session_attrs' || (value !== 'read-write' && value !== 'primary'))
      throw new Error('after the ? it may have sslmode, sslrootcert and target_session_attrs=read-write');
  }
  return found;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error('a part of it has a % that is not followed by two hexadecimal digits');
  }
}
