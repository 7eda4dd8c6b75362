import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from './free-port.ts';
import { spawnServer } from './server.ts';

const START_MS_MAX = 60_000;
const READY_MS_MAX = 60_000;
const BIN = join(process.cwd(), 'bin', 'dcloud.mjs');

export interface PeerClusterOptions {
  readonly nodes: number;
  readonly redundancy: number;
  /** Keys of the configuration of all processes. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Where process `i` is told that another one is: by a proxy, say. Gets the number of the asking process last. */
  readonly peersAs?: (i: number, realOrigin: string, asker: number) => string;
  /** Variables of the environment of process `i`. */
  readonly environment?: (i: number) => Readonly<Record<string, string>>;
  /** Where everything lies; it is not removed by `remove`. */
  readonly directory?: string;
  /** Called before process `i` is started for the first time, with the folder that its node will have and that is not there yet. */
  readonly prepare?: (i: number, nodeFolder: string) => Promise<void>;
  /** How they are spoken to; with `https` their configuration has `tls`, and this process trusts their certificates. */
  readonly scheme?: 'http' | 'https';
  /** All processes use one storage directory; else each has its own. */
  readonly shared?: boolean;
  /** Numbers of the processes in the order in which they are started; the others are not. All at once if absent. */
  readonly order?: readonly number[];
}

interface Member {
  readonly number: number;
  readonly port: number;
  readonly directory: string;
  child: ChildProcess | undefined;
  output: string;
}

/** A cluster of real processes over TCP, which can be killed, stopped and frozen one by one. */
export class PeerCluster {
  readonly options: PeerClusterOptions;
  readonly directory: string;
  private readonly members: Member[];

  // Fields are assigned by hand here: Node.js runs this file as it is, and only strips its types.
  private constructor(options: PeerClusterOptions, directory: string, members: Member[]) {
    this.options = options;
    this.directory = directory;
    this.members = members;
  }

  /** Starts the processes, and waits until their nodes are up. */
  static async start(options: PeerClusterOptions): Promise<PeerCluster> {
    const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'dcloud-peers-')));
    const ports = await freePorts(options.nodes);
    const members = ports.map((port, at) => {
      const home = options.shared === true ? 'shared' : `peer_${at + 1}`;
      return { number: at + 1, port, directory: join(directory, home), child: undefined, output: '' };
    });
    const cluster = new PeerCluster(options, directory, members);
    try {
      for (const { number } of members) {
        await cluster.configure(number);
        await options.prepare?.(number, cluster.nodeFolder(number));
      }
      if (options.order === undefined) await Promise.all(members.map(({ number }) => cluster.restart(number)));
      else for (const number of options.order) await cluster.restart(number);
      const started = options.order ?? members.map(({ number }) => number);
      if (started.includes(1) && started.length > options.redundancy) {
        await cluster.untilReady();
        for (const number of started) await cluster.untilNode(number, 'up', READY_MS_MAX);
      }
      return cluster;
    } catch (error) {
      await cluster.remove();
      throw error;
    }
  }

  /** Makes room for one more process, which is not started, and writes it into the configuration of all. Returns its number. */
  async grow(): Promise<number> {
    const [port] = (await freePorts(1)) as [number];
    const number = this.members.length + 1;
    const home = this.options.shared === true ? 'shared' : `peer_${number}`;
    this.members.push({ number, port, directory: join(this.directory, home), child: undefined, output: '' });
    for (const member of this.members) await this.configure(member.number);
    return number;
  }

  /** SIGHUP: the process reads its configuration anew. */
  reload(i: number): void {
    this.process(i).kill('SIGHUP');
  }

  url(i: number): string {
    return `${this.options.scheme ?? 'http'}://127.0.0.1:${this.member(i).port}`;
  }

  /** The process of a node, as it was started last. */
  process(i: number): ChildProcess {
    const { child } = this.member(i);
    if (child === undefined) throw new Error(`process ${i} was never started`);
    return child;
  }

  /** Everything that the processes of a node have printed. */
  logs(i: number): string {
    return this.member(i).output;
  }

  configFile(i: number): string {
    return join(this.directory, `config_${i}.json`);
  }

  /** The storage directory of a process. */
  storage(i: number): string {
    return this.member(i).directory;
  }

  nodeFolder(i: number): string {
    return join(this.storage(i), `node_${i}`);
  }

  /** SIGKILL. */
  async kill(i: number): Promise<void> {
    await this.end(i, 'SIGKILL');
  }

  /** SIGTERM; resolves with the exit code. */
  async stop(i: number): Promise<number | null> {
    return this.end(i, 'SIGTERM');
  }

  /** SIGSTOP. */
  freeze(i: number): void {
    this.process(i).kill('SIGSTOP');
  }

  /** SIGCONT. */
  thaw(i: number): void {
    this.process(i).kill('SIGCONT');
  }

  /** Starts the process of a node that does not run, and waits until it listens. */
  async restart(i: number): Promise<void> {
    const member = this.member(i);
    const environment = this.options.environment?.(i) ?? {};
    const child = spawnServer(this.configFile(i), { args: this.argsOf(i), environment });
    member.child = child;
    const from = member.output.length;
    const listens = Promise.withResolvers<undefined>();
    const see = (chunk: Buffer): void => {
      member.output += chunk.toString();
      if (member.output.slice(from).includes('listens on http')) listens.resolve(undefined);
    };
    // eslint-disable-next-line no-restricted-syntax -- the output of a process under test is only looked at
    child.stdout.on('data', see);
    // eslint-disable-next-line no-restricted-syntax -- as above
    child.stderr.on('data', see);
    child.once('exit', (code) => {
      listens.reject(new Error(`process ${i} ended with ${String(code)}:\n${member.output.slice(from)}`));
    });
    const timer = setTimeout(() => listens.reject(new Error(`process ${i} did not start:\n${member.output}`)), START_MS_MAX);
    await listens.promise.finally(() => clearTimeout(timer));
  }

  /** Waits until files can be stored by way of a process. */
  async untilReady(i = 1, msMax = READY_MS_MAX): Promise<void> {
    await until(msMax, `process ${i} is not ready`, async () => (await fetch(`${this.url(i)}/health/ready`)).ok);
  }

  /** Waits until the gateway says that a node is in a state; asks by way of the first process that answers. */
  async untilNode(n: number, state: string, msMax = 20_000): Promise<void> {
    let now = 'unknown';
    await until(
      msMax,
      () => `node ${n} is ${now} and not ${state}`,
      async () => {
        now = (await this.nodes()).find(({ node }) => node === n)?.state ?? 'unknown';
        return now === state;
      },
    );
  }

  /** `/nodes`, by way of the first process that answers. */
  async nodes(): Promise<readonly { readonly node: number; readonly state: string; readonly disagreement?: string }[]> {
    for (const { number, child } of this.members) {
      if (child?.exitCode !== null || child.signalCode !== null) continue;
      try {
        const answer = await fetch(`${this.url(number)}/nodes`, { signal: AbortSignal.timeout(2000) });
        if (answer.ok) return ((await answer.json()) as { nodes: [] }).nodes;
      } catch {
        continue; // frozen, or on its way down
      }
    }
    return [];
  }

  /** `dcloud takeover --node i`; resolves with what it printed. */
  async takeOver(i: number, ...flags: readonly string[]): Promise<string> {
    const { code, output } = await this.cli(['takeover', '--config', this.configFile(i), '--node', String(i), ...flags]);
    if (code !== 0) throw new Error(`the takeover ended with ${String(code)}:\n${output}`);
    return output;
  }

  /** Runs `dcloud`. */
  async cli(args: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> {
    const child = spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const see = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    // eslint-disable-next-line no-restricted-syntax -- as above
    child.stdout.on('data', see);
    // eslint-disable-next-line no-restricted-syntax -- as above
    child.stderr.on('data', see);
    await once(child, 'close');
    return { code: child.exitCode, output };
  }

  /** Writes the configuration of a process, with other keys than the others have if some are given. */
  async configure(i: number, config: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const { redundancy, peersAs = (_: number, origin: string) => origin } = this.options;
    await mkdir(this.storage(i), { recursive: true });
    const values = {
      storage_directory: this.storage(i),
      node_count: this.members.length,
      redundancy_count: redundancy,
      peers: this.members.map(({ number }) => (number === i ? this.url(i) : peersAs(number, this.url(number), i))),
      cluster_secret: this.options.shared === true ? null : 'a secret of the tests that is long enough',
      key_ring: join(this.directory, 'key-ring.json'),
      ...this.options.config,
      ...config,
    };
    await writeFile(this.configFile(i), JSON.stringify(values, null, 2));
  }

  /** Ends all processes and removes what they stored. */
  async remove(): Promise<void> {
    const started = this.members.filter(({ child }) => child !== undefined);
    await Promise.all(started.map(({ number }) => this.kill(number)));
    if (this.options.directory === undefined) await rm(this.directory, { recursive: true, force: true });
  }

  private argsOf(i: number): readonly string[] {
    return ['--config', this.configFile(i), '--node', String(i)];
  }

  private async end(i: number, signal: NodeJS.Signals): Promise<number | null> {
    const child = this.process(i);
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const ended = once(child, 'exit');
    child.kill(signal);
    if (signal === 'SIGTERM') child.kill('SIGCONT'); // a frozen one hears nothing
    await ended;
    return child.exitCode;
  }

  private member(i: number): Member {
    const member = this.members[i - 1];
    if (member === undefined) throw new RangeError(`there is no process ${i}`);
    return member;
  }
}

/** Waits for something that is not told; errors on the way count as not yet. */
async function until(msMax: number, otherwise: string | (() => string), isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + msMax;
  for (;;) {
    if (await isSo().catch(() => false)) return;
    if (Date.now() > deadline) throw new Error(`${typeof otherwise === 'string' ? otherwise : otherwise()} after ${msMax} ms`);
    await sleep(20);
  }
}
