import { createHmac, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { DomainError } from '../common/errors.js';
import { parseId, type ClusterId } from '../common/ids.js';
import { tuple } from './tuple.js';

/** `active` wraps new keys and unwraps; `decrypt-only` unwraps what it wrapped before it was replaced. */
export type KeyState = 'active' | 'decrypt-only';

export interface RingKey {
  /** k1, k2, …; never given twice. */
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly key: KeyObject;
  readonly state: KeyState;
}

/** What the login of accounts needs of the server (OPAQUE): the seed of its OPRF and its key pair. Losing it ends every password. */
export interface LoginSetup {
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly secret: KeyObject;
}

/** The first format has no login setup; a key ring without one is still written so, and older programs read it. */
const FORMAT_KEYS_ONLY = 1;
const FORMAT = 2;
const KEY_BYTES = 32;
const LOGIN_SETUP_BYTES_MAX = 1024;
const KEYS_MAX = 1000;
const KEY_ID = /^k[1-9]\d{0,8}$/;

/**
 * The keys under which all others are sealed: losing it is losing every file. An immutable value; changing it makes another one.
 * Its errors never hold a part of a key, and so no part of the text that was parsed.
 */
export class KeyRing {
  private constructor(
    readonly clusterId: ClusterId,
    readonly active: string,
    readonly keys: readonly RingKey[],
    readonly loginSetup: LoginSetup | undefined,
  ) {
    Object.freeze(keys);
    Object.freeze(this);
  }

  /** A key ring with one new key. @param now milliseconds since 1970 */
  static create(clusterId: ClusterId, now: number): KeyRing {
    return new KeyRing(clusterId, 'k1', [newKey('k1', now)], undefined);
  }

  /** Reads what `serialize` wrote. @throws DomainError `storage-unusable`, which says what is wrong with it. */
  static parse(text: string): KeyRing {
    const root = expectRoot(parseJson(text));
    const clusterId = typeof root['clusterId'] === 'string' ? parseId<ClusterId>(root['clusterId']) : undefined;
    if (clusterId === undefined) throw damaged('its clusterId is no UUID');
    const entries = root['keys'];
    if (!Array.isArray(entries) || entries.length === 0 || entries.length > KEYS_MAX)
      throw damaged(`it has not 1 to ${KEYS_MAX} keys`);
    const keys = entries.map((entry: unknown, index) => parseKey(entry, `key number ${index + 1}`, clusterId));
    if (new Set(keys.map((key) => key.id)).size !== keys.length) throw damaged('two of its keys have one id');
    const actives = keys.filter((key) => key.state === 'active').map((key) => key.id);
    const [active] = actives;
    if (active === undefined || actives.length > 1 || active !== root['active']) {
      throw damaged('it has not exactly one active key, the one that it names');
    }
    const login = root['login'];
    return new KeyRing(clusterId, active, keys, login === undefined ? undefined : parseLoginSetup(login, clusterId));
  }

  /** The JSON to keep. It holds the keys in clear: it goes nowhere but to the file of mode 0600. */
  serialize(): string {
    const keys = this.keys.map(({ id, createdAt, state, key }) => ({
      id,
      createdAt: new Date(createdAt).toISOString(),
      state,
      key: key.export().toString('base64'),
      check: keyCheck(key, id, this.clusterId),
    }));
    const login = this.loginSetup && {
      createdAt: new Date(this.loginSetup.createdAt).toISOString(),
      setup: this.loginSetup.secret.export().toString('base64'),
      check: loginCheck(this.loginSetup.secret, this.clusterId),
    };
    const format = login === undefined ? FORMAT_KEYS_ONLY : FORMAT;
    return `${JSON.stringify({ format, clusterId: this.clusterId, active: this.active, keys, login }, null, 2)}\n`;
  }

  /** The key that wraps everything new. */
  get activeKey(): RingKey {
    return this.key(this.active);
  }

  /** Names what it holds, and tells nothing of it: another ring that has all of these opens whatever this one does. */
  get fingerprints(): readonly string[] {
    const keys = this.keys.map(({ id, key }) => `${id}:${keyCheck(key, id, this.clusterId)}`);
    return this.loginSetup === undefined ? keys : [...keys, `login:${loginCheck(this.loginSetup.secret, this.clusterId)}`];
  }

  /** @throws DomainError `key-missing` if it does not hold a key of this id. */
  key(id: string): RingKey {
    const found = this.keys.find((key) => key.id === id);
    if (found === undefined) throw new DomainError('key-missing', `the key ring does not hold the key ${JSON.stringify(id)}`);
    return found;
  }

  /** Adds a new key and makes it the active one; those before only open from then on. @param now milliseconds since 1970 */
  withNewActiveKey(now: number): KeyRing {
    if (this.keys.length === KEYS_MAX) throw new DomainError('invalid-request', `a key ring holds at most ${KEYS_MAX} keys`);
    // The newest key is always the active one and cannot be dropped, so this number was never given before.
    const id = `k${1 + Math.max(...this.keys.map((key) => Number(key.id.slice(1))))}`;
    const retired = this.keys.map((key): RingKey => Object.freeze({ ...key, state: 'decrypt-only' }));
    return new KeyRing(this.clusterId, id, [...retired, newKey(id, now)], this.loginSetup);
  }

  /** Drops a key for good. The caller has made sure that nothing is wrapped by it. @throws DomainError `invalid-request` for the active one. */
  without(id: string): KeyRing {
    if (id === this.active) throw new DomainError('invalid-request', `${id} is the active key: make another one active first`);
    const dropped = this.key(id);
    return new KeyRing(
      this.clusterId,
      this.active,
      this.keys.filter((key) => key !== dropped),
      this.loginSetup,
    );
  }

  /** Adds the login setup, once for ever: every registration hangs on it. @param secret is cleared @param now milliseconds since 1970 */
  withLoginSetup(secret: Uint8Array, now: number): KeyRing {
    if (this.loginSetup !== undefined) throw new DomainError('invalid-request', 'the key ring has a login setup already');
    if (secret.length === 0 || secret.length > LOGIN_SETUP_BYTES_MAX) throw new TypeError('this is no login setup');
    const login = Object.freeze({ createdAt: now, secret: importKey(secret) });
    return new KeyRing(this.clusterId, this.active, this.keys, login);
  }
}

function newKey(id: string, createdAt: number): RingKey {
  return Object.freeze({ id, createdAt, key: importKey(randomBytes(KEY_BYTES)), state: 'active' });
}

function importKey(raw: Uint8Array): KeyObject {
  try {
    return createSecretKey(raw);
  } finally {
    raw.fill(0);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not even as a cause: the message quotes the text around the error, and that may be a key.
    throw damaged('it is not JSON');
  }
}

function parseKey(value: unknown, where: string, clusterId: ClusterId): RingKey {
  const entry = expectObject(value, where, ['id', 'createdAt', 'state', 'key', 'check']);
  const { id, state } = entry;
  if (typeof id !== 'string' || !KEY_ID.test(id)) throw damaged(`${where} has no id like k1`);
  if (state !== 'active' && state !== 'decrypt-only') throw damaged(`${id} is neither active nor decrypt-only`);
  const createdAt = typeof entry['createdAt'] === 'string' ? Date.parse(entry['createdAt']) : Number.NaN;
  if (Number.isNaN(createdAt)) throw damaged(`${id} has no time of creation`);
  const text = typeof entry['key'] === 'string' ? entry['key'] : '';
  const raw = Buffer.from(text, 'base64');
  // Node.js skips what is not base64; only what comes out the same again was all there.
  if (raw.length !== KEY_BYTES || raw.toString('base64') !== text) throw damaged(`${id} is not ${KEY_BYTES} bytes in base64`);
  const key = importKey(raw);
  if (keyCheck(key, id, clusterId) !== entry['check'])
    throw damaged(`${id} is not the key that was written: its check value differs`);
  return Object.freeze({ id, createdAt, key, state });
}

function parseLoginSetup(value: unknown, clusterId: ClusterId): LoginSetup {
  const entry = expectObject(value, 'its login setup', ['createdAt', 'setup', 'check']);
  const createdAt = typeof entry['createdAt'] === 'string' ? Date.parse(entry['createdAt']) : Number.NaN;
  if (Number.isNaN(createdAt)) throw damaged('its login setup has no time of creation');
  const text = typeof entry['setup'] === 'string' ? entry['setup'] : '';
  const raw = Buffer.from(text, 'base64');
  if (raw.length === 0 || raw.length > LOGIN_SETUP_BYTES_MAX || raw.toString('base64') !== text)
    throw damaged('its login setup is not base64');
  const secret = importKey(raw);
  if (loginCheck(secret, clusterId) !== entry['check'])
    throw damaged('its login setup is not the one that was written: its check value differs');
  return Object.freeze({ createdAt, secret });
}

function expectRoot(value: unknown): Record<string, unknown> {
  const members = ['format', 'clusterId', 'active', 'keys'];
  const hasLogin = typeof value === 'object' && value !== null && 'format' in value && value.format === FORMAT;
  return expectObject(value, 'it', hasLogin ? [...members, 'login'] : members);
}

/** Exactly these members, so that a newer or a mistyped one is not silently lost at the next change. */
function expectObject(value: unknown, where: string, members: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw damaged(`${where} is no object`);
  const object = value as Record<string, unknown>;
  if (members[0] === 'format') expectFormat(object['format']);
  const missing = members.find((member) => !Object.hasOwn(object, member));
  if (missing !== undefined) throw damaged(`${where} has no ${missing}`);
  if (Object.keys(object).length > members.length) throw damaged(`${where} has other members than ${members.join(', ')}`);
  return object;
}

function expectFormat(format: unknown): void {
  if (format === FORMAT_KEYS_ONLY || format === FORMAT) return;
  if (typeof format !== 'number' || !Number.isInteger(format) || format < 1) throw damaged('its format is no number from 1');
  throw new DomainError(
    'storage-unusable',
    `the key ring is of format ${format}, and this program knows ${FORMAT}: use a newer program`,
  );
}

/** Tells a key that was changed in the file from one that is right: a wrong key would make every file look damaged. */
function keyCheck(key: KeyObject, id: string, clusterId: ClusterId): string {
  return createHmac('sha256', key)
    .update(tuple('sse/v1/key-check', clusterId, id))
    .digest('hex')
    .slice(0, 16);
}

function loginCheck(secret: KeyObject, clusterId: ClusterId): string {
  return createHmac('sha256', secret).update(tuple('sse/v1/login-check', clusterId)).digest('hex').slice(0, 16);
}

function damaged(what: string): DomainError {
  return new DomainError('storage-unusable', `the key ring is damaged: ${what}`);
}
