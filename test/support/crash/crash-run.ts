import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../client.ts';
import { runCli } from '../run-cli.ts';
import { spawnServer, TestServer } from '../server.ts';
import { Checker } from './checker.ts';
import { drain } from './drain.ts';
import { Journal } from './journal.ts';
import { Random } from './random.ts';
import { recordsOf, rebuildIndex, reportChanges, verify } from './rebuild.ts';
import { abilities, type Abilities, NODES, PACK_BYTES_MAX, REDUNDANCY, type Settings, settingsOf } from './settings.ts';
import { Findings, type Violation } from './violation.ts';
import { Workload } from './workload.ts';

const STOP_EVERY = 10;
const COPIES_SAMPLE = 20;

export interface CrashOptions {
  readonly cycles: number;
  readonly seed: number;
  /** Where storage, journal and configuration lie. Removed if all was well. */
  readonly directory: string;
  readonly clients?: number;
  /** Longest time of load in a cycle. */
  readonly loadMsMax?: number;
  /**
   * Each so many cycles one ends with a clean stop, a verification and an index that is made anew; and one that is half as far loses its
   * index in the crash and has it made anew, where the program can.
   */
  readonly stopEvery?: number;
  readonly say?: (line: string) => void;
}

export interface CrashOutcome {
  readonly violations: readonly Violation[];
  readonly acknowledged: number;
  /** Requests that were answered 503. */
  readonly refused: number;
  /** Operations that the kills found under way. */
  readonly interrupted: number;
  readonly checked: number;
  readonly rebuilds: number;
  /** Where everything lies, if something was wrong. */
  readonly directory: string;
}

/** A server that is killed again and again under load, on one storage, and held against the journal of its clients each time. */
export class CrashRun {
  private readonly options: CrashOptions;
  private readonly random: Random;
  private readonly journal = new Journal();
  private readonly findings: Findings;
  private readonly can: Abilities;
  private readonly sums = { acknowledged: 0, refused: 0, interrupted: 0, checked: 0, rebuilds: 0 };

  private constructor(options: CrashOptions, can: Abilities) {
    this.options = options;
    this.can = can;
    this.random = new Random(options.seed);
    this.findings = new Findings(join(options.directory, 'journal.jsonl'));
  }

  static async run(options: CrashOptions): Promise<CrashOutcome> {
    await mkdir(options.directory, { recursive: true });
    const directory = await mkdtemp(join(options.directory, 'dcloud-crash-'));
    const run = new CrashRun({ ...options, directory }, await abilities());
    try {
      await run.cycles();
    } catch (error) {
      run.findings.report('failed-process', String(error));
    }
    run.findings.flush();
    const { violations } = run.findings;
    if (violations.length === 0) await rm(directory, { recursive: true });
    return { violations, ...run.sums, directory };
  }

  private async cycles(): Promise<void> {
    for (let cycle = 1; cycle <= this.options.cycles && this.isSound(); cycle += 1) await this.cycle(cycle);
    if (this.isSound()) await this.end();
  }

  private isSound(): boolean {
    this.findings.flush();
    return this.findings.violations.length === 0;
  }

  private async cycle(cycle: number): Promise<void> {
    const began = Date.now();
    const before = { ...this.sums };
    const settings = settingsOf(this.random, this.can);
    this.findings.note('cycle', { cycle, settings });
    if (cycle > 1 && this.random.chance(0.2)) await this.killWhileStarting(settings);
    const server = await this.start(settings);
    try {
      await this.check(server);
      if (!this.isSound()) return;
      const stopEvery = this.options.stopEvery ?? STOP_EVERY;
      if (cycle % stopEvery === 0) await this.loadAndStop(server, settings);
      else await this.loadAndKill(server, settings);
      if (cycle % stopEvery === Math.floor(stopEvery / 2) && this.can.rebuilds) await this.rebuild(server.configFile);
    } finally {
      await server.kill();
      await writeFile(join(this.options.directory, 'server.log'), server.logs(), { flag: 'a' });
    }
    const { acknowledged, refused, interrupted, checked } = this.sums;
    this.options.say?.(
      `cycle ${cycle}: ${acknowledged - before.acknowledged} changes acknowledged, ${refused - before.refused} refused, ` +
        `${interrupted - before.interrupted} interrupted, ${checked - before.checked} files checked, ${((Date.now() - began) / 1000).toFixed(1)} s`,
    );
  }

  private start({ config }: Settings): Promise<TestServer> {
    return TestServer.start({ directory: this.options.directory, config });
  }

  /** A server that does not live to listen: what it does at the start must bear that, too. */
  private async killWhileStarting({ config }: Settings): Promise<void> {
    const { directory } = this.options;
    const file = join(directory, 'config.json');
    await writeFile(file, JSON.stringify({ storage_directory: join(directory, 'data'), port: 0, ...config }));
    const child = spawnServer(file);
    child.stdout.resume();
    child.stderr.resume();
    const ended = once(child, 'exit');
    await Promise.race([sleep(this.random.between(100, 1200)), ended]);
    child.kill('SIGKILL');
    await ended;
  }

  private async check(server: TestServer): Promise<void> {
    const checker = new Checker(new Client(server.url), this.journal, this.findings);
    this.sums.checked += await checker.check();
    const files = [...this.journal.files];
    if (files.length === 0) return;
    const sample = new Set(Array.from({ length: COPIES_SAMPLE }, () => this.random.pick(files)));
    await checker.checkCopies([...sample], REDUNDANCY);
  }

  private workload(server: TestServer, settings: Settings, onAcknowledged?: () => void): Workload {
    const shape = { clients: this.options.clients ?? 12, filesMax: 200, largeBytesMax: settings.largeBytesMax };
    const { journal, findings } = this;
    const parts = { url: server.url, journal, findings, random: this.random.fork(), shape };
    return new Workload(onAcknowledged === undefined ? parts : { ...parts, onAcknowledged });
  }

  /** Kills after a time, or in the very moment of an acknowledgement: both find other weak spots. */
  private async loadAndKill(server: TestServer, settings: Settings): Promise<void> {
    const { promise: isTime, resolve: kill } = Promise.withResolvers<undefined>();
    const ms = this.random.between(20, this.options.loadMsMax ?? 3000);
    let left = this.random.chance(0.5) ? this.random.between(1, 400) : Infinity;
    const load = this.workload(server, settings, () => {
      left -= 1;
      if (left === 0) {
        server.process.kill('SIGKILL'); // here and not later, when more would have happened
        load.stop('breaks');
        kill(undefined);
      }
    });
    const running = load.run();
    const rotating = this.random.chance(0.2) ? this.rotate(server, ms) : undefined;
    await Promise.race([sleep(ms), isTime, once(server.process, 'exit')]);
    const { exitCode, signalCode } = server.process;
    if (left > 0 && (exitCode !== null || signalCode !== null))
      this.findings.report(
        'failed-process',
        `it ended by itself: ${exitCode ?? String(signalCode)}: ${server.logs().slice(-2000)}`,
      );
    load.stop('breaks');
    await server.kill();
    await running;
    await rotating;
    this.sums.interrupted += this.journal.uncertain;
    this.count(load.requests);
  }

  /** Refusals are no violation: on a busy machine a probe may be late, and a node suspect for a moment. But they are told. */
  private count({ acknowledged, refused }: Workload['requests']): void {
    this.sums.acknowledged += acknowledged;
    this.sums.refused += refused;
  }

  /** Not with every rotation there is time for it: some are killed, too. */
  private async rotate({ configFile }: TestServer, loadMs: number): Promise<void> {
    await sleep(this.random.below(loadMs));
    const isKilled = this.random.chance(0.3);
    const msMax = isKilled ? this.random.between(100, 700) : 20_000;
    const { code, stderr } = await runCli(['keys', 'rotate', '--config', configFile], { msMax });
    this.findings.note('rotated', { code });
    if (code !== 0 && !(isKilled && code === null))
      this.findings.report('failed-process', `keys rotate: ${String(code)} ${stderr}`);
  }

  /** A clean stop, and what the operator does with it: verify, lose the index, rebuild it. All records must be the same then. */
  private async loadAndStop(server: TestServer, settings: Settings): Promise<void> {
    const load = this.workload(server, settings);
    const running = load.run();
    await sleep(this.random.between(200, 1000));
    load.stop('nothing');
    await running;
    this.count(load.requests);
    const records = await recordsOf(server);
    const code = await server.stop();
    if (code !== 0)
      this.findings.report('failed-process', `the server stopped with ${String(code)}: ${server.logs().slice(-2000)}`);
    if (this.can.verifies) await verify(server.configFile, this.findings);
    if (this.can.rebuilds) await this.rebuild(server.configFile);
    const again = await this.start(settings);
    reportChanges(records, await recordsOf(again), this.findings);
    await this.check(again);
    await again.kill();
  }

  private async rebuild(configFile: string): Promise<void> {
    await rebuildIndex({ configFile, storage: join(this.options.directory, 'data') }, this.findings);
    this.sums.rebuilds += 1;
  }

  /** The last check, and then everything is deleted: nothing may stay on the nodes. */
  private async end(): Promise<void> {
    const settings = settingsOf(this.random, this.can);
    const server = await this.start(settings);
    try {
      await this.check(server);
      const folders = Array.from({ length: NODES }, (_, at) => server.nodeFolder(at + 1));
      const packBytesMax = this.can.limits.has('pack_bytes_max') ? PACK_BYTES_MAX : 0;
      if (this.isSound()) await drain({ url: server.url, folders, packBytesMax }, this.findings);
    } finally {
      await server.kill();
    }
  }
}
