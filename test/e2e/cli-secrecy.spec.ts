import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Command } from 'commander';
import { addDriveCommands } from '../../src/cli/drive/drive.commands.js';
import { masterPurposeKey, recoveryKey, type MasterKey } from '../../src/sdk/account-keys.js';
import type { AccountSession } from '../../src/sdk/account-session.js';
import { connect } from '../../src/sdk/connect.js';
import { Device, type KeptAccount } from '../../src/sdk/device.js';
import { parsePath } from '../../src/sdk/drive-path.js';
import { linkProof } from '../../src/sdk/link.js';
import { parseLink } from '../../src/sdk/link-url.js';
import { fetchBundle } from '../../src/sdk/login-calls.js';
import { MemoryStateStore } from '../../src/sdk/memory.state-store.js';
import { NodeFileStateStore } from '../../src/sdk/node-file.state-store.js';
import { nodeFloe } from '../../src/sdk/node-floe-back-end.js';
import { openSession } from '../../src/sdk/open-session.js';
import { parseRecoveryCode } from '../../src/sdk/recovery-code.js';
import { sessionContext } from '../../src/sdk/session-context.js';
import { sourceOfBytes } from '../../src/sdk/source.js';
import { Transport } from '../../src/sdk/transport.js';
import { Client } from '../support/client.js';
import { DriveCli, GENEROUS } from '../support/drive-cli.js';
import type { CliOutcome } from '../support/run-cli.js';
import {
  filesAsHaystacks,
  marker,
  missedPlants,
  NeedleSearch,
  RecordingProxy,
  withDigest,
  type Haystack,
  type Needle,
} from '../support/secrecy.js';
import { RunningStore } from '../support/running-store.js';
import { TestServer } from '../support/server.js';

/** Eighty processes, one after the other, on a machine that may be busy. */
const SESSION_MS_MAX = 600_000;
/** Two parts; and more than what comes with its manifest. */
const [PARTS_BYTES, ALONE_BYTES] = [17 * 2 ** 20, 100_000];
const PURPOSES = ['identity', 'account', 'root', 'contacts', 'resume', 'settings', 'mounts', 'devices', 'seen'] as const;
/** Where keys may lie, below the profiles. */
const ACCOUNTS = ['ada', 'bob'].map((name) => join(name, 'state', 'account.state'));
const never = new AbortController().signal;
/** The server knows them; as nobody else has them, they show that a search finds what is there. */
const [ADA, BOB] = [`ada-${marker()}`, `bob-${marker()}`];
/** A plain file, which goes through the same hands. */
const PLAIN = { name: `plain-${marker()}`, content: `content-${marker()}` };

let server: TestServer;
let proxy: RecordingProxy;
let cli: DriveCli;
let storage: readonly Haystack[];
/** The same as who has the server's keys sees it. */
let unsealed: readonly Haystack[];
/** What lay in the profiles, and on the server, while an upload was half done. */
let unfinished: Record<'profiles' | 'storage', readonly Haystack[]>;
let adasId: string;

/** What only the client knows. */
const secrets: Needle[] = [];
/** What is shown to the server, which keeps no more of it than a hash. */
const credentials: Needle[] = [];
/** Commands that did what they were asked for. */
const succeeded = new Set<string>();
/** What the command line said on standard error. */
const complaints: string[] = [];

// What is secret.

/** A name that nobody else gives to anything. */
function named(label: string): string {
  const digits = marker();
  const name = `${label}-${digits}`;
  secrets.push({ label: `name of ${label}`, plain: digits }, ...withDigest({ label: `whole name of ${label}`, plain: name }));
  return name;
}

/** A text with its sign in each line. */
function content(label: string, size = 200): Buffer {
  const digits = marker();
  const whole = Buffer.alloc(size, `${digits}, as ${label} says.\n`);
  secrets.push(...withDigest({ label: `content of ${label}`, plain: digits }), ...withDigest({ label, plain: whole }).slice(1));
  return whole;
}

function password(label: string): string {
  const digits = marker();
  const whole = `${label} ${digits}`;
  secrets.push({ label: `password ${label}`, plain: digits }, ...withDigest({ label: `password ${label}, whole`, plain: whole }));
  return whole;
}

async function code(label: string, { stdout }: CliOutcome, accountId?: string): Promise<string> {
  const [found = ''] = /(?:[0-9A-Z]{4}-){8}./u.exec(stdout) ?? [];
  const bytes = parseRecoveryCode(found);
  const dashless = found.replaceAll('-', '');
  for (const plain of [found, found.slice(0, -2), dashless, dashless.toLowerCase(), bytes])
    secrets.push(...withDigest({ label: `recovery code of ${label}`, plain }));
  if (accountId !== undefined) secrets.push({ label: `key by ${label}`, plain: await recoveryKey(bytes, accountId) });
  return found;
}

async function address(label: string, url: string): Promise<void> {
  const { linkId, secret } = parseLink(url);
  const fragment = new URL(url).hash.slice(1);
  for (const plain of [fragment, secret]) secrets.push(...withDigest({ label: `secret of ${label}`, plain }));
  credentials.push({ label: `proof of ${label}`, plain: await linkProof(secret, linkId) });
}

const stateOf = (name: string): NodeFileStateStore => new NodeFileStateStore(join(cli.profileFolder(name), 'state'));

async function keptAccount(profile: string): Promise<KeptAccount> {
  const kept = await new Device(stateOf(profile), proxy.url).account();
  if (kept === undefined) throw new Error(`nobody is logged in by ${profile}`);
  return kept;
}

async function noteMaster(label: string, master: MasterKey): Promise<void> {
  secrets.push(...withDigest({ label: `master key of ${label}`, plain: master.key }));
  for (const purpose of PURPOSES)
    secrets.push({ label: `${purpose} key of ${label}`, plain: await masterPurposeKey(master, purpose) });
}

/** All keys of an account and of what lies at these places, as the profile gives them. */
async function noteKeys(label: string, profile: string, places: readonly string[]): Promise<void> {
  const session = await sessionOf(profile);
  await noteMaster(label, session.keys.master);
  const { seeds } = session.state.opened;
  for (const [kind, plain] of Object.entries(seeds))
    secrets.push({ label: `${kind} seed of ${label}`, plain: plain as Uint8Array });
  const { finder } = sessionContext(session, { top: () => Promise.reject(new Error('nothing is mounted')) });
  for (const place of places) {
    const { record, content: current } = await finder.node(parsePath(place), never);
    const key = current?.manifest.contentKey;
    for (let generation = 1; generation <= record.keys.generation; generation += 1)
      secrets.push({ label: `key ${generation} of ${place}, ${label}`, plain: record.keys.at(generation) });
    if (key !== undefined) secrets.push({ label: `content key of ${place}, ${label}`, plain: key });
  }
}

async function sessionOf(profile: string): Promise<AccountSession> {
  const account = await keptAccount(profile);
  const transport = new Transport(proxy.url);
  const equipment = { device: new Device(new MemoryStateStore(), proxy.url), floe: nodeFloe, passwordHash: undefined };
  return openSession(transport, equipment, { account, bundle: await fetchBundle(transport.as(account.session), never) }, never);
}

// The command line.

/** Groups are no commands. */
function commandsOf(command: Command, above: readonly string[] = []): readonly string[] {
  return command.commands.flatMap((each) => {
    const words = [...above, each.name()];
    return each.commands.length === 0 ? [words.join(' ')] : commandsOf(each, words);
  });
}

function driveProgram(): Command {
  const program = new Command('dcloud');
  addDriveCommands(program);
  return program;
}

const forgotten = (program: Command): readonly string[] => commandsOf(program).filter((words) => !succeeded.has(words));

async function dcloud(args: readonly string[], expected: number, input: string | Uint8Array = ''): Promise<CliOutcome> {
  const outcome = await cli.run(args, { input });
  complaints.push(outcome.stderr);
  expect({ args, ...outcome }).toMatchObject({ code: expected });
  if (expected === 0) for (const words of [args.slice(0, 2).join(' '), args[0]!]) succeeded.add(words);
  return outcome;
}

type Run = (args: readonly string[], expected?: number, input?: string | Uint8Array) => Promise<CliOutcome>;
const as =
  (profile: string): Run =>
  (args, expected = 0, input = '') =>
    dcloud([...args, '--profile', profile], expected, input);
const [ada, bob, guest] = [as('ada'), as('bob'), as('guest')];

const lines = (...all: readonly string[]): string => `${all.join('\n')}\n`;
const rowsOf = ({ stdout }: CliOutcome): readonly Readonly<Record<string, unknown>>[] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);

// The session.

interface Things {
  readonly folder: string;
  readonly inner: string;
  readonly alone: string;
  readonly note: string;
  readonly parts: string;
  readonly piped: string;
  readonly moved: string;
}

interface Person {
  readonly password: string;
  readonly code: string;
}

async function registering(): Promise<Record<'ada' | 'bob', Person>> {
  const [adas, bobs] = [password('of ada'), password('of bob')];
  const registered = await ada(['register', ADA, '--server', proxy.url], 0, lines(adas));
  const { master } = await keptAccount('ada');
  const adasCode = await code('ada', registered, master.accountId);
  const bobsCode = await code('bob', await bob(['register', BOB, '--server', proxy.url], 0, lines(bobs)));
  await guest(['register', ADA, '--server', proxy.url], 4, lines(password('of a second ada')));
  await guest(['register', 'a name that none can have', '--server', proxy.url], 2, lines(password('of a bad name')));
  await ada(['login'], 5, lines(password('that is wrong')));
  await guest(['login', 'nobody', '--server', proxy.url], 5, lines(password('of nobody')));
  await noteMaster('ada at first', master);
  await noteMaster('bob', (await keptAccount('bob')).master);
  await ada(['logout']);
  expect(await holders([...secrets, ...bearers()])).toEqual([ACCOUNTS[1]]);
  await ada(['ls'], 6);
  await ada(['login', ADA, '--server', proxy.url], 0, lines(adas));
  await ada(['whoami']);
  return { ada: { password: adas, code: adasCode }, bob: { password: bobs, code: bobsCode } };
}

/** Files of every size in every way; one upload is killed between its parts, and gone on with. */
async function storing(): Promise<Things> {
  const [folder, inner, alone] = [named('folder'), named('inner'), `${named('alone')}.bin`];
  const [note, parts, piped, moved] = [`${named('note')}.txt`, `${named('parts')}.bin`, named('piped'), named('moved')];
  const things = { folder, inner, alone, note, parts, piped, moved };
  await mkdir(join(cli.home, folder, inner), { recursive: true });
  await writeFile(join(cli.home, folder, alone), content('a file with a part of its own', ALONE_BYTES));
  await writeFile(join(cli.home, folder, inner, note), content('a note in a folder'));
  await writeFile(join(cli.home, note), content('a note'));
  await writeFile(join(cli.home, parts), content('a file of parts', PARTS_BYTES));
  await ada(['put', note, '/']);
  await ada(['put', note, '/'], 4);
  await ada(['put', '-r', folder, '/']);
  await ada(['put', '-r', '--update', folder, '/', '--json']);
  await ada(['put', '-', '/', '--name', piped], 0, content('what came from a pipe'));
  await ada(['put', '-', `/${named('pipe of some size')}`], 0, content('a long pipe', ALONE_BYTES));
  await ada(['put', named('file that is not there'), '/'], 3);
  await killedUpload(parts);
  await ada(['put', parts, '/']);
  await addMediaType();
  return things;
}

async function killedUpload(file: string): Promise<void> {
  const { child } = cli.begin(['put', file, '/', '--profile', 'ada']);
  const ended = once(child, 'exit');
  proxy.behind = ({ method, target }) => {
    if (method === 'PUT' && /\/parts\/\d+$/u.test(target)) child.kill('SIGKILL');
  };
  await ended;
  proxy.behind = () => undefined;
  expect(child.signalCode).toBe('SIGKILL');
  const states = (await readdir(join(cli.profileFolder('ada'), 'uploads'))).filter((name) => name.endsWith('.state'));
  expect(states).toHaveLength(1); // beside it may lie what was being written
  unfinished = { profiles: await filesAsHaystacks(cli.profileFolder('')), storage: await filesAsHaystacks(server.storage) };
}

/** By the SDK, for the command line gives none. */
async function addMediaType(): Promise<void> {
  const type = marker();
  secrets.push({ label: 'media type', plain: type });
  const drive = await (await connect(proxy.url, { state: stateOf('ada'), floe: nodeFloe })).resume();
  await drive!.upload(`/${named('typed')}`, sourceOfBytes(content('a file with a type')), { mediaType: `application/x-${type}` });
  await drive!.close();
  expect((await ada(['ls', '/', '--json'])).stdout).toContain(type);
}

async function working({ folder, inner, alone, note, parts, piped, moved }: Things): Promise<void> {
  const [made, below] = [named('made'), named('below')];
  await ada(['mkdir', '-p', `/${made}/${below}`]);
  await ada(['mkdir', `/${made}`], 4);
  await ada(['mv', `/${note}`, `/${made}/${moved}`]);
  await ada(['mv', `/${made}`, `/${made}/${below}`], 4);
  await writeFile(join(cli.home, moved), content('a second revision'));
  await ada(['put', '--replace', moved, `/${made}/`]);
  await ada(['history', `/${made}/${moved}`]);
  await ada(['get', `/${made}/${moved}`, 'first', '--revision', '1']);
  expect(await readFile(join(cli.home, 'first'))).toEqual(await readFile(join(cli.home, note)));
  await ada(['restore', `/${made}/${moved}`, '--revision', '1']);
  await ada(['restore', `/${made}/${moved}`, '--revision', '99'], 3);
  await ada(['ls', '-l', '-r', '/']);
  await ada(['ls', `/${named('nothing')}`], 3);
  await ada(['get', '-r', `/${folder}`, 'fetched']);
  expect(await readFile(join(cli.home, 'fetched', inner, note))).toEqual(await readFile(join(cli.home, folder, inner, note)));
  await ada(['get', `/${made}/${moved}`, 'first'], 4);
  await ada(['get', `/${parts}`, 'parts']);
  expect((await readFile(join(cli.home, 'parts'))).equals(await readFile(join(cli.home, parts)))).toBe(true);
  await ada(['get', `/${folder}/${alone}`, '-', '--range', '70000-70099']);
  await ada(['get', `/${piped}`, '-']);
  await ada(['export', `/${folder}`, 'plain.tar']);
  await ada(['export', `/${folder}`, 'sealed.tar.age', '--seal'], 0, lines(password('for an archive')));
}

async function sharing({ folder, inner, note, piped }: Things): Promise<void> {
  await ada(['share', `/${folder}`, BOB, '--write']);
  await ada(['share', `/${folder}`, 'nobody'], 3);
  const [offer] = rowsOf(await bob(['shared', '--json']));
  const place = (await bob(['accept', offer!['id'] as string])).stdout.trim();
  await bob(['accept', '019a0000-0000-7000-8000-000000000000'], 3);
  await bob(['get', `${place}/${inner}/${note}`, '-']);
  await bob(['put', '-', `${place}/${named('by bob')}`], 0, content('what bob wrote'));
  await ada(['shared', `/${folder}`]);
  await ada(['contacts', 'list']);
  const number = (await bob(['contacts', 'verify', ADA])).stdout;
  await ada(['contacts', 'verify', BOB, '--number', '0'.repeat(number.length)], 7);
  await ada(['contacts', 'verify', BOB, '--number', number]);

  const [right, wrong] = [password('of a link'), password('that somebody guessed for a link')];
  const linked = ['link', `/${piped}`, '--password', '--expires', '2h', '--uses', '9', '--json'];
  const [link] = rowsOf(await ada(linked, 0, lines(right)));
  const { id, url } = link as { readonly id: string; readonly url: string };
  await address('a link', url);
  const [ofFolder] = rowsOf(await ada(['link', `/${folder}`, '--json']));
  await address('a link to a folder', ofFolder!['url'] as string);
  await guest(['open', '--password', '--to', '-'], 0, lines(url, right));
  await guest(['open', '--password', '--to', '-'], 5, lines(url, wrong));
  await guest(['open', url], 5);
  await guest(['open', ofFolder!['url'] as string, '-l']);
  await guest(['open', '--path', `/${inner}`, '--to', 'opened', '-r'], 0, lines(ofFolder!['url'] as string));
  await ada(['unlink', id]);
  await guest(['open', '--password', '--to', '-'], 3, lines(url, right));
}

/** Every way to change what an account is opened by, each once with the wrong word first. */
async function changingKeys(person: Person): Promise<void> {
  const { accountId } = (await keptAccount('ada')).master;
  const [second, third, fourth] = [password('two of ada'), password('three of ada'), password('four of ada')];
  await as('lost')(['login', ADA, '--server', proxy.url], 0, lines(person.password));
  const lost = rowsOf(await ada(['sessions', 'list', '--json'])).find(({ isOwn }) => isOwn === false);
  await ada(['sessions', 'end', lost!['id'] as string]);
  await as('lost')(['ls'], 6);
  await ada(['password'], 5, lines(password('of now that is wrong'), second));
  await ada(['password'], 0, lines(person.password, second));
  await ada(['rekey', 'code'], 5, lines(person.password));
  await code('rekey code', await ada(['rekey', 'code'], 0, lines(second)), accountId);
  await ada(['rekey', 'identity']);
  const passphrase = password('for a kit');
  await ada(['kit', 'export', 'kit.age', '--new-code'], 0, lines(second, passphrase));
  await code('the kit', await ada(['kit', 'show', 'kit.age'], 0, lines(passphrase)), accountId);
  await ada(['kit', 'show', 'kit.age'], 5, lines(password('that opens no kit')));
  const last = await code('rekey all', await ada(['rekey', 'all'], 0, lines(second, third)), accountId);
  await ada(['recover'], 5, lines(person.code, password('by a code of before')));
  await code('recover', await ada(['recover'], 0, lines(last, fourth)), accountId);
}

async function ending({ folder, piped }: Things): Promise<void> {
  await ada(['unshare', `/${folder}`, BOB]);
  await ada(['put', '-', `/${folder}/${named('after bob')}`], 0, content('what bob reads no more'));
  await ada(['rm', `/${folder}`], 2);
  await ada(['rm', `/${piped}`]);
  for (const shell of ['bash', 'zsh', 'fish']) await dcloud(['completion', shell], 0);
  await dcloud(['help', 'exit-codes'], 0);
}

/** As an object store: the server sees all of it. Each half of the content is a chunk of its own. */
async function plainFile({ stdout }: CliOutcome): Promise<void> {
  const [token = ''] = /dct_[\w-]+/u.exec(stdout) ?? [];
  const halves = [PLAIN.content.slice(0, 20), PLAIN.content.slice(20)].map((half) => Buffer.from(half));
  await new Client(proxy.url, undefined, token).put(PLAIN.name, ReadableStream.from(halves));
}

// What is searched.

/** What the server was shown to be let in. */
function bearers(): readonly Needle[] {
  const tokens = new Set(proxy.exchanges.flatMap(({ head }) => /^authorization: bearer (?<token>.+)$/imu.exec(head)?.[1] ?? []));
  return [...tokens].flatMap((token, index) => {
    const secret = /^dc[a-z]_[0-9a-f]{32}_(?<secret>.+)$/u.exec(token)?.[1] ?? token;
    const label = `token ${index}, ${token.slice(0, 4)}`;
    return [
      { label, plain: secret },
      { label, plain: Buffer.from(secret, 'base64url') },
    ];
  });
}

const isName = ({ label }: Needle): boolean => /^(?:SHA-256 of )?(?:whole )?name of\b/u.test(label);
const isMaster = ({ label }: Needle): boolean => label.startsWith('master key');

const logOf = (): readonly Haystack[] => [{ where: 'log', bytes: Buffer.from(server.logs()) }];
const wholeOf = (haystacks: readonly Haystack[]): Buffer => Buffer.concat(haystacks.map(({ bytes }) => bytes));
const found = (needles: readonly Needle[], haystacks: readonly Haystack[]): readonly string[] =>
  new NeedleSearch(needles).find(haystacks);

/** The files of all profiles that hold one of the needles. */
async function holders(needles: readonly Needle[], profiles?: readonly Haystack[]): Promise<readonly string[]> {
  const search = new NeedleSearch(needles);
  const files = profiles ?? (await filesAsHaystacks(cli.profileFolder('')));
  const holding = files.filter(({ bytes }) => search.hits(bytes).length > 0);
  return holding.map(({ where }) => where).toSorted();
}

/** What others than the user of the machine may do with files and folders, if anything. */
async function openToOthers(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const modes = entries.map(async (entry) => {
    const path = join(entry.parentPath, entry.name);
    const mode = (await stat(path)).mode & 0o777;
    return mode === (entry.isDirectory() ? 0o700 : 0o600) ? [] : [`${path}: ${mode.toString(8)}`];
  });
  return (await Promise.all(modes)).flat();
}

beforeAll(async () => {
  const config = { registration: 'open', limits: GENEROUS, log_level: 'trace', audit: 'all', node_count: 4 };
  server = await TestServer.start({ config });
  proxy = await RecordingProxy.start(server.url);
  cli = await DriveCli.inFolder();
  const init = await dcloud(['admin', 'init', '--config', server.configFile, '--url', proxy.url], 0);
  const people = await registering();
  adasId = (await keptAccount('ada')).master.accountId;
  const things = await storing();
  await working(things);
  await sharing(things);
  const places = ['/', `/${things.folder}`, `/${things.folder}/${things.alone}`, `/${things.parts}`];
  await noteKeys('ada before', 'ada', places);
  await noteKeys('bob', 'bob', ['/']);
  await changingKeys(people.ada);
  await ending(things);
  await noteKeys('ada behind', 'ada', places);
  await plainFile(init);
  await server.stop();
  storage = await filesAsHaystacks(server.storage);
  const store = await RunningStore.open(server.directory);
  unsealed = await Array.fromAsync(store.contents());
  await store.close();
}, SESSION_MS_MAX);

afterAll(async () => {
  await proxy.close();
  await server.remove();
  await cli.remove();
});

describe('the session', () => {
  it('had every command of the drive in it', () => {
    expect(forgotten(driveProgram())).toEqual([]);
    const withMore = driveProgram();
    withMore.command('new');
    expect(forgotten(withMore)).toEqual(['new']);
  });

  it('passed by the recorder with every request that the server answered, in no other coding than its own', () => {
    const completed = server.logs().match(/"msg":"request completed"/gu) ?? [];
    expect(proxy.exchanges.filter(({ isAnswered }) => isAnswered)).toHaveLength(completed.length);
    const headed = (header: RegExp): number =>
      proxy.exchanges.filter(({ head, answerHead }) => header.test(head) || header.test(answerHead)).length;
    expect(headed(/^content-encoding:/imu)).toBe(0);
    expect(headed(/^content-type:/imu)).toBeGreaterThan(100);
    const parts = proxy.exchanges.filter(({ method, target }) => method === 'PUT' && target.endsWith('/parts/1'));
    expect(parts.length).toBeGreaterThan(0);
    expect(wholeOf(proxy.haystacks).length).toBeGreaterThan(2 * PARTS_BYTES);
  });
});

describe('attack 18: nothing that only the client knows is found', () => {
  it('in what the server receives and answers', () => {
    expect(found(secrets, proxy.haystacks)).toEqual([]);
  });

  it('in what the server stores, with its own seal and without it, and no credential either', () => {
    for (const stored of [storage, unsealed, unfinished.storage])
      expect(found([...secrets, ...credentials, ...bearers()], stored)).toEqual([]);
  });

  it('in what the server logs, and no credential either', () => {
    expect(found([...secrets, ...credentials, ...bearers()], logOf())).toEqual([]);
  });

  it('in what the command line complains of, but for names', () => {
    const said = [{ where: 'standard error', bytes: Buffer.from(complaints.join('')) }];
    const unsaid = secrets.filter((needle) => !isName(needle));
    expect(found([...unsaid, ...credentials, ...bearers()], said)).toEqual([]);
    expect(found(secrets.filter(isName), said)).not.toEqual([]);
  });
});

describe('the search', () => {
  const needles = (): readonly Needle[] => [
    { label: 'plain name', plain: PLAIN.name },
    { label: 'plain content', plain: PLAIN.content },
    { label: 'account', plain: adasId },
    { label: 'user', plain: ADA },
  ];

  it('finds a file that was stored without sealing, and users, in what passed', () => {
    const all = found(needles(), proxy.haystacks);
    for (const { label } of needles()) expect(all.some((each) => each.startsWith(`${label}: `))).toBe(true);
    expect(found([...credentials, ...bearers()], proxy.haystacks).length).toBeGreaterThan(10);
  });

  it('finds in what is stored the names that are kept in the clear, and a file that somebody puts there', async () => {
    const index = join('index', 'data.mdb');
    expect(found(needles(), storage)).toEqual(
      expect.arrayContaining([`account: audit.log`, `plain name: ${index}`, `user: ${index}`]),
    );
    const path = join('node_2', 'shards', 'planted');
    await writeFile(join(server.storage, path), Buffer.from(secrets[0]!.plain as string).toString('base64'));
    expect(found(secrets.slice(0, 1), await filesAsHaystacks(server.storage))).toEqual([`${secrets[0]!.label}: ${path}`]);
  });

  it('finds behind the seal of the server what it was given in the clear, and as much as was stored', () => {
    const { name, content } = PLAIN;
    expect(found([{ label: 'plain', plain: content }], unsealed)).toEqual([expect.stringContaining(` ${name} `)]);
    expect(found([{ label: 'plain', plain: content }], storage)).toEqual([]);
    expect(wholeOf(unsealed).length).toBeGreaterThan(PARTS_BYTES);
  });

  it('finds accounts in the log, which names neither users nor files', () => {
    expect(found(needles(), logOf())).toEqual(['account: log']);
  });

  it('finds each thing in every encoding in a copy of each place', () => {
    const all = [...secrets, ...credentials, ...bearers()];
    for (const haystacks of [proxy.haystacks, storage, unsealed, logOf()])
      expect(missedPlants(all, wholeOf(haystacks))).toEqual([]);
    // As a control of that: what is not searched for is missed.
    expect(missedPlants(secrets.slice(0, 3), Buffer.alloc(1000), secrets.slice(1))).toHaveLength(9);
  });
});

describe('the machine of the user', () => {
  it('keeps the master keys of now in one file each, and nothing else that is secret', async () => {
    const current = await Promise.all(['ada', 'bob'].map(async (name) => (await keptAccount(name)).master.key));
    const isCurrent = ({ plain }: Needle): boolean =>
      current.some((key) => Buffer.from(key).equals(Buffer.from(plain as string)));
    expect(await holders(secrets.filter(isCurrent))).toEqual(ACCOUNTS);
    expect(await holders(secrets.filter((needle) => !isCurrent(needle)))).toEqual([]);
    expect(secrets.filter((needle) => isMaster(needle) && !isCurrent(needle))).not.toEqual([]);
    expect(await holders(bearers())).toEqual(ACCOUNTS);
  });

  it('keeps of an unfinished upload the names alone in the clear, where it goes on', async () => {
    const { profiles } = unfinished;
    expect(await holders(secrets.filter(isMaster), profiles)).toEqual(ACCOUNTS);
    const others = secrets.filter((needle) => !isMaster(needle) && !isName(needle));
    expect(await holders(others, profiles)).toEqual([]);
    expect(await holders(secrets.filter(isName), profiles)).toEqual([expect.stringMatching(/^ada\/jobs\/job-/u)]);
  });

  it('lets nobody else read any of it', async () => {
    const folder = join(cli.home, 'config', 'dcloud');
    expect(await openToOthers(folder)).toEqual([]);
    await chmod(join(cli.profileFolder('ada'), 'state', 'account.state'), 0o640);
    expect(await openToOthers(folder)).toHaveLength(1);
  });

  it('keeps no key and no session after a logout', async () => {
    // The server has stopped meanwhile: what is kept here is forgotten all the same.
    await Promise.all([ada(['logout']), bob(['logout'])]);
    expect(await holders([...secrets, ...bearers()])).toEqual([]);
    await writeFile(join(cli.profileFolder('ada'), 'planted'), secrets[0]!.plain);
    expect(await holders(secrets)).toEqual([join('ada', 'planted')]);
  });
});
