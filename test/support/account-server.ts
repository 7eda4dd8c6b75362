/** A server of accounts in memory, without passwords: what a client that is logged in reads and writes. It keeps what it is sent, and lies if it is told to. */
import { createHash, randomUUID } from 'node:crypto';
import { sealAccount } from '../../src/sdk/account-seal.js';
import { randomBytes, toBase64Url, type Bytes } from '../../src/sdk/bytes.js';
import { wrapAnew } from '../../src/sdk/login-change.js';
import { Device } from '../../src/sdk/device.js';
import { MemoryStateStore } from '../../src/sdk/memory.state-store.js';
import { fetchBundle } from '../../src/sdk/login-calls.js';
import { openSession } from '../../src/sdk/open-session.js';
import { newRecoveryCode } from '../../src/sdk/recovery-code.js';
import type { StateStore } from '../../src/sdk/state-store.js';
import { Transport } from '../../src/sdk/transport.js';
import { webFloe } from '../../src/sdk/web-floe-back-end.js';
import type { AccountSession } from '../../src/sdk/account-session.js';
import { newPerson, newUuid, NO_HASH, type Person } from './e2ee-world.js';

export const ORIGIN = 'https://drive.example';

export interface KeptAccountJson {
  sealed: string;
  identity: string;
  /** Older ones. */
  former: string[];
}

export interface VaultJson {
  bytes: string;
  revision: number;
}

export interface NodeJson {
  id: string;
  record: string;
}

type Row = Readonly<Record<string, unknown>>;

export class AccountServer {
  readonly accounts = new Map<string, KeptAccountJson>();
  readonly names = new Map<string, string>();
  readonly vaults = new Map<string, VaultJson>();
  readonly roots = new Map<string, NodeJson>();
  readonly requests: string[] = [];
  /** Called before each request; may throw, and so the connection is lost before it arrived. */
  before: (request: string) => void = () => undefined;
  /** Called behind each request that was done; may throw, and so its answer is lost. */
  behind: (request: string) => void = () => undefined;

  /** Somebody who has registered. */
  async join(name: string): Promise<Person> {
    const person = await newPerson(name);
    const code = newRecoveryCode();
    const { master, seeds, bundleBytes } = person;
    const wraps = await wrapAnew(master, { passwordExport: randomBytes(64), code }, undefined);
    const content = { master, wraps, seeds, identityVersion: 1, revision: 1, previousHash: NO_HASH };
    this.keep(person, await sealAccount(content, bundleBytes), bundleBytes);
    this.names.set(name, person.identity.accountId);
    return person;
  }

  keep({ identity }: Pick<Person, 'identity'>, sealed: Bytes, bundle: Bytes): void {
    const before = this.accounts.get(identity.accountId);
    const own = toBase64Url(bundle);
    const former = before === undefined ? [] : before.identity === own ? before.former : [...before.former, before.identity];
    this.accounts.set(identity.accountId, { sealed: toBase64Url(sealed), identity: own, former });
  }

  readonly fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const [method, { pathname }] = [init.method ?? 'GET', new URL(input as string)];
    const request = `${method} ${pathname}`;
    this.requests.push(request);
    this.before(request);
    const headers = new Headers(init.headers);
    const account = headers.get('authorization')?.replace('Bearer dcs_', '') ?? '';
    const body = init.body === undefined || init.body === null ? {} : (JSON.parse(init.body as string) as Row);
    const answer = this.answer(request, { account, body, headers });
    this.behind(request);
    return answer;
  };

  private answer(request: string, asked: { account: string; body: Row; headers: Headers }): Response {
    const { account, body, headers } = asked;
    const vault = /^(?<method>GET|PUT) \/drive\/vault\/(?<name>\w+)$/u.exec(request)?.groups;
    const about = /^GET \/auth\/(?<what>identities|users)\/(?<of>[^/]+)/u.exec(request)?.groups;
    const kept = this.accounts.get(account);
    if (kept === undefined) return problem(401, 'unauthenticated');
    if (vault !== undefined) return this.vault(`${account}/${vault['name']}`, vault['method']!, { body, headers });
    if (about !== undefined) return this.identities(about['what']!, decodeURIComponent(about['of']!));
    if (request === 'GET /auth/bundle') return json({ sealed: kept.sealed, identity: kept.identity }, kept);
    if (request === 'PUT /auth/bundle') {
      if (headers.get('if-match') !== etagOf(kept)) return problem(412, 'precondition-failed');
      const next = body as unknown as KeptAccountJson;
      const former = next.identity === kept.identity ? kept.former : [...kept.former, kept.identity];
      this.accounts.set(account, { ...next, former });
      return new Response(null, { status: 204, headers: { ETag: etagOf(this.accounts.get(account)!) } });
    }
    if (request === 'POST /drive/ids') return json({ ids: Array.from({ length: body['count'] as number }, newUuid) }, {});
    return this.root(request, asked);
  }

  private root(request: string, { account, body, headers }: { account: string; body: Row; headers: Headers }): Response {
    const root = this.roots.get(account);
    const record = body['record'] as string;
    if (request === 'POST /drive/nodes') {
      if (root !== undefined) return problem(409, 'name-taken');
      this.roots.set(account, { id: idOfRecord(record), record });
    } else if (root === undefined) return problem(404, 'node-not-found');
    else if (request === `PUT /drive/nodes/${root.id}`) {
      if (headers.get('if-match') !== etagOf(root)) return problem(412, 'precondition-failed');
      this.roots.set(account, { id: root.id, record });
    } else if (request !== 'GET /drive/root') return problem(404, 'route-not-found');
    const now = this.roots.get(account)!;
    return json({ ...now, owner: account, content: null, etag: etagOf(now) }, now);
  }

  private vault(key: string, method: string, { body, headers }: { body: Row; headers: Headers }): Response {
    const kept = this.vaults.get(key);
    if (method === 'PUT') {
      const expected = kept === undefined ? headers.get('if-none-match') === '*' : headers.get('if-match') === etagOf(kept);
      if (!expected) return problem(412, 'precondition-failed');
      this.vaults.set(key, body as unknown as VaultJson);
    } else if (kept === undefined) return problem(404, 'vault-not-found');
    const now = this.vaults.get(key)!;
    return json(now, now);
  }

  private identities(what: string, of: string): Response {
    const kept = this.accounts.get(what === 'users' ? (this.names.get(of) ?? '') : of);
    if (kept === undefined) return problem(404, what === 'users' ? 'user-not-found' : 'account-not-found');
    return json(what === 'users' ? { identity: kept.identity } : { identities: [...kept.former, kept.identity] }, kept);
  }
}

/** A device on which somebody is logged in. */
export class AccountDevice {
  constructor(
    readonly server: AccountServer,
    public person: Pick<Person, 'master' | 'bundle'>,
    readonly state: StateStore = new MemoryStateStore(),
  ) {}

  /** The account as a program finds it that is started anew. */
  async open(signal = new AbortController().signal): Promise<AccountSession> {
    const transport = new Transport(ORIGIN, { fetch: this.server.fetch, sleep: () => Promise.resolve() });
    const { master, bundle: own } = this.person;
    const account = { userName: own.userName, session: `dcs_${master.accountId}`, master };
    const equipment = { device: new Device(this.state, ORIGIN), floe: webFloe, passwordHash: undefined };
    const bundle = await fetchBundle(transport.as(account.session), signal);
    return openSession(transport, equipment, { account, bundle }, signal);
  }
}

function idOfRecord(record: string): string {
  const hex = Buffer.from(record, 'base64url').subarray(1, 17).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function etagOf(value: unknown): string {
  return `"${createHash('sha256').update(JSON.stringify(value)).digest('hex')}"`;
}

function json(body: unknown, of: unknown): Response {
  return new Response(JSON.stringify(body), { status: 200, headers: { ETag: etagOf(of), 'X-Request-Id': randomUUID() } });
}

function problem(status: number, code: string): Response {
  return new Response(JSON.stringify({ code, detail: 'no text of a server is shown' }), { status });
}
