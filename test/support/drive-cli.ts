import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from '@jest/globals';
import { GateProxy } from './gate-proxy.js';
import type { CliOutcome } from './run-cli.js';
import { TestServer } from './server.js';

export const BIN = join(process.cwd(), 'bin', 'dcloud.mjs');
/** For servers that one address asks more often than a person would. */
export const GENEROUS = { failed_attempts_max: 1000, login_attempts_max: 1000 };
const MS_MAX = 60_000;

export interface CliOptions {
  /** What is on standard input. */
  readonly input?: string | Uint8Array;
  readonly environment?: Readonly<Record<string, string>>;
}

/** A command that was begun. */
export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly outcome: Promise<CliOutcome>;
}

/** `dcloud` for people, as they run it: from a folder of its own, which has their profiles, too. */
export class DriveCli {
  readonly home: string;

  private constructor(home: string) {
    this.home = home;
  }

  static async inFolder(): Promise<DriveCli> {
    return new DriveCli(await mkdtemp(join(tmpdir(), 'dcloud-cli-')));
  }

  /** Runs to its end; one that goes on for too long is killed, and its code is null. */
  run(args: readonly string[], options: CliOptions = {}): Promise<CliOutcome> {
    return this.begin(args, options).outcome;
  }

  begin(args: readonly string[], { input = '', environment = {} }: CliOptions = {}): Running {
    const options = {
      env: { ...this.environment, ...environment },
      cwd: this.home,
      timeout: MS_MAX,
      killSignal: 'SIGKILL',
    } as const;
    const child = spawn(process.execPath, [BIN, ...args], { stdio: 'pipe', ...options });
    child.stdin.on('error', () => undefined); // it may end before it has read everything
    child.stdin.end(input);
    return { child, outcome: outcomeOf(child) };
  }

  /** The same, as the user of a profile. */
  as(profile: string, input?: string): (...args: string[]) => Promise<CliOutcome> {
    return (...args) => this.run([...args, '--profile', profile], input === undefined ? {} : { input });
  }

  /** Makes an account, and the profile of its name. */
  async register(name: string, server: string): Promise<CliOutcome> {
    const args = ['register', name, '--server', server, '--profile', name];
    const made = await this.run(args, { input: `password of ${name}\n` });
    expect(made).toMatchObject({ code: 0 });
    return made;
  }

  /** The first administrator of a server. @returns its token */
  async initAdmin({ configFile, url }: TestServer): Promise<string> {
    const init = await this.run(['admin', 'init', '--config', configFile, '--url', url]);
    expect(init).toMatchObject({ code: 0 });
    return init.stdout.trim();
  }

  /** Where a profile keeps what it knows. */
  profileFolder(profile: string): string {
    return join(this.home, 'config', 'dcloud', 'profiles', profile);
  }

  async remove(): Promise<void> {
    await rm(this.home, { recursive: true, force: true });
  }

  /** That of a person at a terminal: nothing in it is meant for a server, or for the tests. */
  get environment(): NodeJS.ProcessEnv {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('DCLOUD_') && name !== 'NODE_OPTIONS');
    return { ...Object.fromEntries(inherited), XDG_CONFIG_HOME: join(this.home, 'config') };
  }
}

/** A server, a proxy before it, and somebody called ada who speaks to it by the proxy. */
export class ProxiedCli {
  private constructor(
    readonly server: TestServer,
    readonly proxy: GateProxy,
    readonly cli: DriveCli,
  ) {}

  static async start(): Promise<ProxiedCli> {
    const server = await TestServer.start({ config: { registration: 'open', limits: GENEROUS } });
    const world = new ProxiedCli(server, await GateProxy.before(server.url), await DriveCli.inFolder());
    await world.cli.initAdmin(server);
    await world.cli.register('ada', world.proxy.origin);
    return world;
  }

  async remove(): Promise<void> {
    await this.proxy.close();
    await this.server.remove();
    await this.cli.remove();
  }
}

export async function outcomeOf(child: ChildProcessWithoutNullStreams): Promise<CliOutcome> {
  const [, stdout, stderr] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
  return { code: child.exitCode, stdout, stderr };
}

/** Each failure is one sentence and a code, never a stack. */
export function refused(outcome: CliOutcome, code: number, sentence: string): void {
  expect(outcome).toMatchObject({ code, stdout: '' });
  told(outcome, sentence);
}

/** The same of a command that had results before. */
export function told({ stderr }: CliOutcome, sentence: string): void {
  expect(stderr).toContain(sentence);
  expect(stderr).not.toMatch(/\n\s+at |not foreseen/u);
}
