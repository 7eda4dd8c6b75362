import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AppConfig } from './app-config.js';
import { LIMITS } from './limits.js';
import { type ConfigSources, loadConfig } from './load-config.js';

const DEFAULTS = join(process.cwd(), 'config', 'default.json');
const FOUR = [0, 1, 2, 3].map((at) => `http://127.0.0.1:${5000 + at}`);

const TLS = { tls: { certificate: 'a.pem', key: '/keys/a.key' } };
const SECRET = 'a secret that is long enough for it';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'dcloud-config-'));
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

function load(file?: unknown, sources: Partial<ConfigSources> = {}): AppConfig {
  const path = join(directory, 'config.json');
  if (file !== undefined) writeFileSync(path, typeof file === 'string' ? file : JSON.stringify(file));
  const from = file === undefined ? undefined : path;
  return loadConfig({ defaultsFile: DEFAULTS, file: from, environment: {}, flags: {}, node: undefined, ...sources });
}

function refusal(file?: unknown, sources: Partial<ConfigSources> = {}): string {
  try {
    load(file, sources);
  } catch (error) {
    expect(error).toMatchObject({ name: 'DomainError', code: 'invalid-config' });
    return (error as { detail: string }).detail;
  }
  throw new Error('it was taken');
}

describe('loadConfig', () => {
  it('has a default for every key, and freezes all of it', () => {
    const config = load();
    expect(config).toMatchObject({
      node_count: 4,
      size_per_slice: 1_048_576,
      redundancy_count: 1,
      listen: '127.0.0.1',
      port: 5000,
    });
    expect(config.limits).toEqual(LIMITS);
    for (const part of [config, config.limits, config.metadata, config.peers]) expect(Object.isFrozen(part)).toBe(true);
  });

  it('takes the five keys of the original system as they were written', () => {
    const original = { storage_directory: './data', node_count: 4, size_per_slice: 1024, redundancy_count: 1, peers: FOUR };
    expect(load(original)).toMatchObject({ ...original, storage_directory: join(directory, 'data'), port: 5000 });
  });

  it('takes the files of tls from the place of the configuration, and peers that speak it', () => {
    const tls = { certificate: join(directory, 'a.pem'), key: '/keys/a.key', ca: null };
    expect(load(TLS).tls).toEqual(tls);
    const environment = { DCLOUD_TLS: '{"certificate":"/c","key":"/k","ca":"/a"}' };
    expect(load(TLS, { environment }).tls).toEqual({ certificate: '/c', key: '/k', ca: '/a' });
    expect(load({ ...TLS, peers: ['https://localhost'], node_count: 1, redundancy_count: 0 })).toMatchObject({ tls, port: 443 });
  });

  it('lets the environment override the file and the flags override both', () => {
    const environment = { DCLOUD_PORT: '2', DCLOUD_NODE_COUNT: '7', DCLOUD_LOG_LEVEL: 'debug', OTHER: 'x', DCLOUD_CONFIG: 'x' };
    const config = load({ port: 1, node_count: 3, size_per_slice: 2048 }, { environment, flags: { port: 3, node: undefined } });
    expect(config).toMatchObject({ port: 3, node_count: 7, size_per_slice: 2048, log_level: 'debug' });
  });

  it('reads lists, objects and null of the environment as JSON, and texts as they are', () => {
    const environment = {
      DCLOUD_PEERS: JSON.stringify(FOUR),
      DCLOUD_LIMITS: '{"headers_ms_max":5}',
      DCLOUD_CLUSTER_SECRET: '0123456789'.repeat(4),
      DCLOUD_METADATA: '{"directory":"/x"}',
    };
    const config = load(undefined, { environment });
    expect(config.peers).toEqual(FOUR);
    expect(config.limits).toEqual({ ...LIMITS, headers_ms_max: 5 });
    expect(config.cluster_secret).toHaveLength(40);
    expect(config.metadata).toEqual({ driver: 'embedded', directory: '/x', url: null });
  });

  it('resolves a path of a file from there, and of the environment from where it was started', () => {
    const file = { storage_directory: 'a', key_ring: 'b/ring.json', metadata: { directory: 'c' } };
    expect(load(file)).toMatchObject({
      storage_directory: join(directory, 'a'),
      key_ring: join(directory, 'b/ring.json'),
      metadata: { directory: join(directory, 'c') },
    });
    const environment = { DCLOUD_STORAGE_DIRECTORY: 'd', DCLOUD_KEY_RING: 'e' };
    expect(load(file, { environment })).toMatchObject({
      storage_directory: join(process.cwd(), 'd'),
      key_ring: join(process.cwd(), 'e'),
    });
    expect(load({ storage_directory: '/f' })).toMatchObject({
      key_ring: '/f/key-ring.json',
      metadata: { directory: '/f/index' },
    });
    expect(load().storage_directory).toBe(join(process.cwd(), 'data'));
  });

  it('listens on the port of the peer that this process is, unless another is given', () => {
    expect(load({ peers: FOUR }, { node: 3 }).port).toBe(5002);
    expect(load({ peers: FOUR, port: 9 }, { node: 3 }).port).toBe(9);
    expect(load({ peers: ['http://localhost:81', 'http://localhost'], node_count: 2 }, { node: 2 }).port).toBe(80);
  });

  it('is one of the peers by --node, else by its port, else the first; and none without peers', () => {
    expect(load({ peers: FOUR }, { node: 3 }).node).toBe(3);
    expect(load({ peers: FOUR, port: 5003 }).node).toBe(4);
    expect(load({ peers: FOUR }, { flags: { port: 5001 } }).node).toBe(2);
    expect(load({ peers: FOUR }).node).toBe(1);
    expect(load({}, { node: 3 }).node).toBeNull();
    expect(refusal({ peers: FOUR, port: 9 })).toMatch(/^port is 9, and none of the peers has it: say by --node/);
    const sameEverywhere = ['http://a:5000', 'http://b:5000'];
    expect(refusal({ peers: sameEverywhere, node_count: 2, port: 5000, cluster_secret: SECRET })).toMatch(/more than one/);
    expect(refusal({ node: 3 })).toMatch(/^node is unknown/);
  });

  it('takes peers on other machines with a secret, and listens where its own is', () => {
    const peers = ['http://10.0.0.1:5000', 'http://[fd00::2]:5000'];
    const file = { peers, node_count: 2, cluster_secret: SECRET };
    expect(load(file, { node: 1 })).toMatchObject({ node: 1, listen: '10.0.0.1', port: 5000 });
    expect(load(file, { node: 2 })).toMatchObject({ node: 2, listen: 'fd00::2', port: 5000 });
    expect(load({ ...file, listen: '0.0.0.0' }, { node: 1 }).listen).toBe('0.0.0.0');
    expect(refusal({ ...file, cluster_secret: null })).toMatch(/^peers has "http:\/\/10.*loopback.*cluster_secret/);
    for (const listen of ['0.0.0.0', '::', '192.168.1.1', '127.evil.example'])
      expect(refusal({ peers: FOUR, listen })).toMatch(/^listen is ".*cluster_secret/);
    expect(load({ listen: '0.0.0.0' }).listen).toBe('0.0.0.0'); // whether it may be, the accounts decide
  });

  it.each<[Record<string, unknown>, RegExp]>([
    [{ redundancy_count: 4 }, /^redundancy_count is 4: it must be less than node_count \(4\)/],
    [{ redundancy_count: -1 }, /^redundancy_count is -1/],
    [{ node_count: 0 }, /^node_count is 0/],
    [{ node_count: 2.5 }, /^node_count is 2\.5/],
    [{ node_count: '4' }, /^node_count is "4"/],
    [{ node_count: 1001 }, /^node_count is 1001/],
    [{ node_count: null }, /^node_count is null/],
    [{ size_per_slice: 1023 }, /^size_per_slice is 1023/],
    [{ size_per_slice: 64 * 1024 * 1024 + 1 }, /^size_per_slice is 67108865/],
    [{ size_per_slice: '1MB' }, /^size_per_slice is "1MB"/],
    [{ storage_directory: '' }, /^storage_directory is ""/],
    [{ storage_directory: 5 }, /^storage_directory is 5/],
    [{ redundancy_scheme: 'hope' }, /^redundancy_scheme is "hope"/],
    [{ port: 65_536 }, /^port is 65536/],
    [{ port: -1 }, /^port is -1/],
    [{ log_level: 'loud' }, /^log_level is "loud"/],
    [{ peers: FOUR.slice(1) }, /^peers has 3 entries: it must have node_count \(4\)/],
    [{ peers: 'x' }, /^peers is "x"/],
    [{ peers: [FOUR[0], FOUR[0], FOUR[1], FOUR[2]] }, /^peers/],
    [{ peers: [...FOUR.slice(1), `${FOUR[1]!}/`] }, /^peers has "http:\/\/127\.0\.0\.1:5001" twice/],
    [{ peers: ['HTTP://LOCALHOST:80', 'http://localhost'], node_count: 2 }, /^peers.*twice/],
    [{ peers: ['here'], node_count: 1, redundancy_count: 0 }, /^peers has "here".*http:\/\/host:port/],
    [{ peers: ['ftp://127.0.0.1'], node_count: 1, redundancy_count: 0 }, /^peers has "ftp/],
    [{ peers: ['https://127.0.0.1'], node_count: 1, redundancy_count: 0 }, /^peers has "https.*http:\/\/host:port/],
    [{ peers: ['http://127.0.0.1'], ...TLS, node_count: 1, redundancy_count: 0 }, /^peers has "http:.*https:\/\/host:port, for/],
    [{ tls: {} }, /^tls\.\w+ is undefined/],
    [{ tls: 'on' }, /^tls is "on"/],
    [{ tls: { certificate: 'a', key: 'b', pfx: 'c' } }, /^tls\.pfx is unknown/],
    [{ audit: 'some' }, /^audit is "some"/],
    [{ peers: ['http://127.0.0.1/path'], node_count: 1, redundancy_count: 0 }, /^peers has/],
    [{ peers: ['http://example.org:5000'], node_count: 1, redundancy_count: 0 }, /^peers has.*loopback/],
    [{ limits: { bodies: 1 } }, /^limits\.bodies is unknown/],
    [{ limits: { toString: 1 } }, /^limits\.toString is unknown/],
    [{ limits: { headers_ms_max: 0 } }, /^limits\.headers_ms_max is 0/],
    [{ limits: null }, /^limits must be an object/],
    [{ metadata: 'embedded' }, /^metadata is "embedded"/],
    [{ metadata: { driver: 'sql' } }, /^metadata\.driver is "sql"/],
    [{ metadata: { folder: 'x' } }, /^metadata\.folder is unknown/],
    [{ metadata: { driver: 'postgres' } }, /^metadata\.url is null: .*DCLOUD_METADATA_URL/],
    [{ metadata: { url: 'postgres://u@h/d' } }, /^metadata\.url is set: .*"postgres", and the driver is "embedded"/],
    [{ metadata: { driver: 'postgres', url: 'postgres://u@h/d', directory: 'x' } }, /^metadata\.directory is "x": .*"embedded"/],
    [{ metadata: { driver: 'postgres', url: 'mysql://u@h/d' } }, /^metadata\.url is set: it must be like postgres:/],
    [{ metadata: { driver: 'postgres', url: 5 } }, /^metadata\.url is set: .*string/],
    [{ node_count: '4' }, /^node_count is "4": node_count must be an integer number$/],
    [{ port: 1.5 }, /^port is 1\.5: port must be an integer number$/],
    [{ storage_directory: null }, /^storage_directory is null: storage_directory must be a string$/],
    [{ peers: {} }, /^peers is \{\}: peers must be an array$/],
    [{ peers: [5], node_count: 1, redundancy_count: 0 }, /^peers is \[5\]: each value in peers must be a string$/],
    [{ cors_origins: 'x' }, /^cors_origins is "x": cors_origins must be an array$/],
    [{ trusted_proxies: '10.0.0.1' }, /^trusted_proxies is "10\.0\.0\.1": trusted_proxies must be an array$/],
    [
      { trusted_proxies: ['10.0.0.1', 'proxy'] },
      /^trusted_proxies is \["10\.0\.0\.1","proxy"\]: each of .* must be an IP address/,
    ],
    [{ trusted_proxies: ['10.0.0.0/33'] }, /^trusted_proxies is \["10\.0\.0\.0\/33"\]: each of/],
    [{ trusted_proxies: ['0.0.0.0/0'] }, /^trusted_proxies is \["0\.0\.0\.0\/0"\]: each of/],
    [{ trusted_proxies: [7] }, /^trusted_proxies is \[7\]: each of/],
    [{ cluster_secret: 5 }, /^cluster_secret is set: cluster_secret must be a string$/],
    [{ tls: [] }, /^tls is \[\]: tls must be an object$/],
    [{ metadata: { directory: 5 } }, /^metadata\.directory is 5: directory must be a string$/],
    [{ node_count: 1001 }, /^node_count is 1001: node_count must not be greater than 1000$/],
    [{ nodes: 4 }, /^nodes is unknown/],
    [{ nodeCount: 4 }, /^nodeCount is unknown/],
  ])('refuses %j and says why', (file, rule) => {
    expect(refusal(file)).toMatch(rule);
  });

  it('refuses a secret that is too short without repeating it', () => {
    expect(refusal({ cluster_secret: 'hunter2' })).toMatch(/^cluster_secret is set.*32/);
    expect(refusal({ cluster_secret: 'hunter2' })).not.toContain('hunter2');
  });

  it.each<[Parameters<typeof refusal>[0], Record<string, string>]>([
    [{ metadata: 'postgres://u:hunter2@h/d' }, {}],
    [{ metadata: { url: 'postgres://u:hunter2@h/d' } }, {}],
    [{ metadata: { driver: 'postgres', url: 'postgres://u:hunter2@h' } }, {}],
    [{ metadata: { driver: 'postgres', url: 'postgres://u:hunter2@h/d?sslmode=hunter2' } }, {}],
    [{ metadata: { driver: 'postgres', url: ['postgres://u:hunter2@h/d'] } }, {}],
    [{ metadata: { driver: 'postgres' } }, { DCLOUD_METADATA_URL: 'postgres:/u:hunter2@h/d' }],
    [{}, { DCLOUD_METADATA: 'postgres://u:hunter2@h/d' }],
    [{}, { DCLOUD_METADATA: '{"driver":"postgres","url":"postgres://u:hunter2@h/d",}' }],
    ['{ "metadata": { "driver": "postgres", "url": "postgres://u:hunter2@h/d" x', {}],
  ])('refuses %j with the variables %j without repeating a password', (file, environment) => {
    expect(refusal(file, { environment })).not.toContain('hunter2');
  });

  it('takes the url of the database from a variable of its own, and leaves the rest to the file', () => {
    const url = 'postgres://u:p@db-1:5433,db-2/cloud?sslmode=require';
    const environment = { DCLOUD_METADATA_URL: url };
    expect(load({ metadata: { driver: 'postgres' } }, { environment }).metadata).toEqual({
      driver: 'postgres',
      directory: null,
      url,
    });
  });

  it.each<[Record<string, string>, RegExp]>([
    [{ DCLOUD_NODES: '4' }, /DCLOUD_NODES overrides no key: there is no nodes/],
    [{ DCLOUD_CONSTRUCTOR: '{}' }, /DCLOUD_CONSTRUCTOR overrides no key/],
    [{ DCLOUD___PROTO__: '{}' }, /DCLOUD___PROTO__ overrides no key/],
    [{ DCLOUD_NODE_COUNT: 'four' }, /DCLOUD_NODE_COUNT is "four".*JSON/],
    [{ DCLOUD_NODE_COUNT: '' }, /DCLOUD_NODE_COUNT is ""/],
    [{ DCLOUD_PEERS: 'http://127.0.0.1' }, /DCLOUD_PEERS/],
  ])('refuses the variables %j', (environment, rule) => {
    expect(refusal(undefined, { environment })).toMatch(rule);
  });

  it('refuses files that are missing, no JSON, or no object, and a node that there is not', () => {
    expect(refusal('{ "port": 1, }')).toContain('is not valid JSON');
    for (const text of ['[]', '5', 'null', '""']) expect(refusal(text)).toContain('must hold one JSON object');
    expect(refusal(undefined, { file: join(directory, 'none.json') })).toMatch(/none\.json cannot be read.*ENOENT/);
    for (const node of [0, 5, 1.5])
      expect(refusal({}, { node })).toContain(`--node is ${node}: it must be a whole number from 1 to`);
  });
});
