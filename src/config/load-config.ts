import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { plainToInstance } from 'class-transformer';
import { validateSync, type ValidationError } from 'class-validator';
import { DomainError } from '../common/errors.js';
import { AppConfig, type MetadataConfig } from './app-config.js';
import { parseDatabaseUrl } from './database-url.js';
import { brokenLimit, LIMITS } from './limits.js';

type Json = Record<string, unknown>;

/** Where a configuration comes from: one file, then the environment, then the command line; the later wins. */
export interface ConfigSources {
  /** The defaults, with every key. */
  readonly defaultsFile: string;
  /** `--config`, else `DCLOUD_CONFIG`. */
  readonly file: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Keys given on the command line. */
  readonly flags: Readonly<Json>;
  /** `--node`: which of the peers this process is. */
  readonly node: number | undefined;
}

const PREFIX = 'DCLOUD_';
/** Variables with our prefix that are no key of the configuration. */
const RESERVED = new Set(['DCLOUD_CONFIG', 'DCLOUD_PROFILE', 'DCLOUD_TOKEN', 'DCLOUD_URL']);
/** Keys that are objects although their default is null. */
const OBJECTS = new Set(['tls']);
/** The rules that say of which type a value is, that of a whole list before that of what is in it. */
const TYPES = ['isArray', 'isInt', 'isObject', 'isString'];
/** Values that must not be repeated in a message. */
const SECRET = new Set(['cluster_secret', 'metadata.url']);
/** A url with a user, and so perhaps with a password. */
const CREDENTIALS = /:\/\/[^/?#]*@/;
/** The one key in another that has a variable of its own: a password need not be in a file, and the rest need not be in a variable. */
const METADATA_URL = 'DCLOUD_METADATA_URL';

/** Where each configuration came from. */
const SOURCES = new WeakMap<AppConfig, ConfigSources>();

/**
 * Reads, checks and freezes the configuration.
 * @throws DomainError `invalid-config` that names the key, the value and the rule, or the file that cannot be read.
 */
export function loadConfig(sources: ConfigSources): AppConfig {
  const defaults = readJson(sources.defaultsFile);
  const file = sources.file === undefined ? {} : readJson(sources.file);
  const overrides = { ...fromEnvironment(sources.environment, defaults), ...withoutUndefined(sources.flags) };
  const given = { ...file, ...overrides };
  const merged: Json = { ...defaults, ...given };
  merged['metadata'] = mergeMetadata(defaults['metadata'] as Json, given['metadata'], sources.environment[METADATA_URL]);
  if (isObject(given['tls'])) merged['tls'] = { ca: null, ...given['tls'] };
  merged['limits'] = mergeLimits(merged['limits']);

  const config = plainToInstance(AppConfig, merged);
  refuseFirst(validateSync(config, { whitelist: true, forbidNonWhitelisted: true }));
  checkRelations(config);
  // A relative path in a file is meant from that file's place; one from the environment or a flag, from where we were started.
  const fileBase = sources.file === undefined ? process.cwd() : dirname(resolve(sources.file));
  const baseOf = (key: string): string => (key in file && !(key in overrides) ? fileBase : process.cwd());
  const complete = Object.assign(config, resolvePaths(config, baseOf), {
    ...placeOf(config, sources, { port: 'port' in given, listen: 'listen' in given }),
  });
  checkListen(complete);
  SOURCES.set(complete, sources);
  return deepFreeze(complete);
}

/** The files that a configuration was read from. */
export function configFilesOf(config: AppConfig): readonly string[] {
  const { defaultsFile, file } = SOURCES.get(config) ?? {};
  return [defaultsFile, file].filter((path) => path !== undefined);
}

/** Reads anew what a configuration was read from. @throws DomainError as {@link loadConfig} */
export function rereadConfig(config: AppConfig): AppConfig {
  const sources = SOURCES.get(config);
  if (sources === undefined) throw new TypeError('the configuration was not read from anywhere');
  return loadConfig(sources);
}

function refuse(detail: string, cause?: unknown): never {
  throw new DomainError('invalid-config', detail, cause === undefined ? undefined : { cause });
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readJson(path: string): Json {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    return refuse(`the file ${path} cannot be read: ${(cause as Error).message}`, cause);
  }
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch (cause) {
    if (CREDENTIALS.test(text)) return refuse(`the file ${path} is not valid JSON`);
    return refuse(`the file ${path} is not valid JSON: ${(cause as Error).message}`, cause);
  }
  return refuse(`the file ${path} must hold one JSON object`);
}

function withoutUndefined(values: Readonly<Json>): Json {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function fromEnvironment(environment: ConfigSources['environment'], defaults: Json): Json {
  const found: Json = {};
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith(PREFIX) || RESERVED.has(name) || name === METADATA_URL || text === undefined) continue;
    const key = name.slice(PREFIX.length).toLowerCase();
    if (!Object.hasOwn(defaults, key)) refuse(`the environment variable ${name} overrides no key: there is no ${key}`);
    const isText = typeof defaults[key] === 'string' || (defaults[key] === null && !OBJECTS.has(key));
    found[key] = isText ? text : parseVariable(name, text);
  }
  return found;
}

function parseVariable(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // What the parser says quotes the text.
    const given = shown(name, JSON.stringify(text));
    return refuse(
      `the environment variable ${name} is ${given}: it must be written as JSON`,
      given === 'set' ? undefined : cause,
    );
  }
}

function mergeMetadata(defaults: Json, given: unknown, url: string | undefined): unknown {
  if (given !== undefined && !isObject(given)) return given;
  return { ...defaults, ...given, ...(url === undefined ? {} : { url }) };
}

function mergeLimits(given: unknown): Json {
  if (!isObject(given)) return refuse('limits must be an object');
  for (const key of Object.keys(given)) if (!Object.hasOwn(LIMITS, key)) refuse(`limits.${key} is unknown`);
  return { ...LIMITS, ...given };
}

function refuseFirst(errors: readonly ValidationError[], parent = ''): void {
  const [error] = errors;
  if (error === undefined) return;
  const key = `${parent}${error.property}`;
  if (error.children !== undefined && error.children.length > 0) refuseFirst(error.children, `${key}.`);
  const [rule, message] = broken(error);
  if (rule === 'whitelistValidation') refuse(`${key} is unknown: no such key exists`);
  refuse(`${key} is ${shown(key, JSON.stringify(error.value))}: ${message}`);
}

/** The rule that is told of: that of the type, if it is broken, for what the others say of another type is not true. */
function broken({ constraints = {} }: ValidationError): readonly [rule: string, message: string] {
  const rule = TYPES.find((type) => Object.hasOwn(constraints, type)) ?? Object.keys(constraints)[0] ?? '';
  return [rule, constraints[rule] ?? 'is not valid'];
}

/** A value as a message may show it. */
function shown(key: string, value: string): string {
  return SECRET.has(key) || CREDENTIALS.test(value) ? 'set' : value;
}

/** Whether only this machine reaches what listens there. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function checkRelations(config: AppConfig): void {
  const { node_count: nodes, redundancy_count: redundancy, peers } = config;
  if (redundancy >= nodes) {
    refuse(
      `redundancy_count is ${redundancy}: it must be less than node_count (${nodes}), for each copy lies on a node of its own`,
    );
  }
  if (peers.length > 0) checkPeers(config, nodes);
  checkMetadata(config.metadata);
  const broken = brokenLimit(config.limits, config.size_per_slice);
  if (broken !== undefined) refuse(broken);
}

/** What one driver needs is refused with the other: it would be without effect, and somebody may rely on it. */
function checkMetadata({ driver, directory, url }: MetadataConfig): void {
  if (driver === 'embedded') {
    if (url !== null) refuse('metadata.url is set: it is for metadata.driver "postgres", and the driver is "embedded"');
    return;
  }
  if (directory !== null)
    refuse(
      `metadata.directory is ${JSON.stringify(directory)}: it is for metadata.driver "embedded", and the driver is "postgres"`,
    );
  if (url === null) refuse(`metadata.url is null: metadata.driver "postgres" needs it, there or in ${METADATA_URL}`);
  try {
    parseDatabaseUrl(url);
  } catch (cause) {
    refuse(`metadata.url is set: ${(cause as Error).message}`, cause);
  }
}

/** Between peers there is the secret; clients on other machines are refused by the server, or it does not start, until there are accounts. */
function checkListen({ listen, peers, cluster_secret: secret }: AppConfig): void {
  if (!isLoopback(listen) && peers.length > 0 && secret === null)
    refuse(`listen is "${listen}": an address other than loopback needs a cluster_secret, by which peers prove themselves`);
}

function checkPeers({ peers, tls, cluster_secret: secret }: AppConfig, nodes: number): void {
  const scheme = tls === null ? 'http:' : 'https:';
  if (peers.length !== nodes) refuse(`peers has ${peers.length} entries: it must have node_count (${nodes})`);
  const addresses = peers.map((peer) => {
    const url = URL.parse(peer);
    if (url?.protocol !== scheme || url.pathname !== '/' || url.search !== '' || url.username !== '') {
      const why = tls === null ? '' : ', for with tls all peers speak HTTPS';
      return refuse(`peers has ${JSON.stringify(peer)}: it must be like ${scheme}//host:port${why}`);
    }
    if (secret === null && !isLoopback(hostOf(url)))
      refuse(`peers has "${peer}", which is not loopback: set cluster_secret, the same for all peers`);
    return url.origin;
  });
  const twice = addresses.find((address, index) => addresses.indexOf(address) !== index);
  if (twice !== undefined) refuse(`peers has "${twice}" twice: each node has an address of its own`);
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

/**
 * Which node this process is, and where it listens. With peers: the one that `--node` names, else the one at the port that was asked for,
 * else the first; and it listens where that peer is said to be, unless something else was asked for.
 */
function placeOf(
  config: AppConfig,
  { node }: ConfigSources,
  isGiven: { readonly port: boolean; readonly listen: boolean },
): Pick<AppConfig, 'node' | 'port' | 'listen'> {
  if (node !== undefined && (!Number.isInteger(node) || node < 1 || node > config.node_count)) {
    refuse(`--node is ${node}: it must be a whole number from 1 to node_count (${config.node_count})`);
  }
  const { peers, port, listen } = config;
  if (peers.length === 0) return { node: null, port, listen };
  const number = node ?? (isGiven.port ? nodeAt(peers, port) : 1);
  const url = new URL(peers[number - 1] ?? '');
  return { node: number, port: isGiven.port ? port : peerPort(url), listen: isGiven.listen ? listen : hostOf(url) };
}

function nodeAt(peers: readonly string[], port: number): number {
  const found = peers.flatMap((peer, at) => (peerPort(new URL(peer)) === port ? [at + 1] : []));
  if (found.length === 1) return found[0] as number;
  return refuse(
    `port is ${port}, and ${found.length === 0 ? 'none' : 'more than one'} of the peers has it: say by --node which of them this is`,
  );
}

function peerPort({ port, protocol }: URL): number {
  if (port !== '') return Number(port);
  return protocol === 'https:' ? 443 : 80;
}

function resolvePaths(
  config: AppConfig,
  baseOf: (key: string) => string,
): Pick<AppConfig, 'storage_directory' | 'key_ring' | 'metadata' | 'tls'> {
  const storage = resolve(baseOf('storage_directory'), config.storage_directory);
  const { tls } = config;
  const ofTls = (path: string): string => resolve(baseOf('tls'), path);
  return {
    storage_directory: storage,
    key_ring: config.key_ring === null ? join(storage, 'key-ring.json') : resolve(baseOf('key_ring'), config.key_ring),
    metadata: metadataAt(config.metadata, storage, baseOf('metadata')),
    tls:
      tls === null
        ? null
        : { certificate: ofTls(tls.certificate), key: ofTls(tls.key), ca: tls.ca === null ? null : ofTls(tls.ca) },
  };
}

function metadataAt(metadata: MetadataConfig, storage: string, base: string): MetadataConfig {
  const { driver, directory, url } = metadata;
  if (driver === 'postgres') return { driver, directory, url };
  return { driver, directory: directory === null ? join(storage, 'index') : resolve(base, directory), url };
}

function deepFreeze<Value extends object>(value: Value): Value {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) deepFreeze(inner as object);
  return Object.freeze(value);
}
