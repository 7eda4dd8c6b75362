import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCli } from '../run-cli.ts';
import { TestServer } from '../server.ts';
import { type Plant, preloaded, setClock } from './preloads.ts';
import { ChaosTarget, type Cost, type Deed, type DeedKind } from './chaos-target.ts';

const UP_MS_MAX = 30_000;
const REBUILD_MS_MAX = 60_000;

export interface FolderTargetOptions {
  readonly nodes: number;
  readonly redundancy: number;
  readonly directory: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly deeds?: Readonly<Partial<Record<DeedKind, number>>>;
  readonly plant?: Plant | undefined;
}

/** One process with its nodes in folders. */
export class FolderTarget extends ChaosTarget {
  readonly gateway = 0;
  private server: TestServer;
  private readonly options: FolderTargetOptions;
  private logs = '';

  private constructor(options: FolderTargetOptions, server: TestServer) {
    super();
    this.options = options;
    this.server = server;
  }

  static async start(options: FolderTargetOptions): Promise<FolderTarget> {
    return new FolderTarget(options, await startServer(options));
  }

  get nodes(): number {
    return this.options.nodes;
  }

  get deeds(): Readonly<Partial<Record<DeedKind, number>>> {
    return this.options.deeds ?? { kill: 3, freeze: 2, vanish: 6, skew: 2, rebuild: 1 };
  }

  get redundancy(): number {
    return this.options.redundancy;
  }

  urls(): readonly string[] {
    return [this.server.url];
  }

  /** The one process answers, whatever folders are away. */
  urlsWithout(): readonly string[] {
    return this.urls();
  }

  folders(): readonly string[] {
    return Array.from({ length: this.nodes }, (_, at) => this.server.nodeFolder(at + 1));
  }

  cost({ kind }: Deed): Cost {
    if (kind === 'vanish') return 'node';
    return kind === 'rebuild' ? 'alone' : 'none';
  }

  async begin({ kind, node, offsetMs }: Deed): Promise<void> {
    if (kind === 'skew') await setClock(clockOf(this.options.directory), offsetMs ?? 0);
    else if (kind === 'vanish') await rename(this.server.nodeFolder(node), this.away(node));
    else if (kind === 'freeze') this.server.process.kill('SIGSTOP');
    else if (kind === 'kill' || kind === 'rebuild') await this.server.kill();
    else throw new Error(`nobody can ${kind} a folder`);
  }

  async end({ kind, node }: Deed): Promise<void> {
    if (kind === 'vanish') {
      await rename(this.away(node), this.server.nodeFolder(node));
      await this.untilUp(node);
    } else if (kind === 'skew') await setClock(clockOf(this.options.directory), 0);
    else if (kind === 'freeze') this.server.process.kill('SIGCONT');
    else await this.startAgain(kind === 'rebuild');
  }

  async untilWhole(): Promise<void> {
    for (let node = 1; node <= this.nodes; node += 1) await this.untilUp(node);
  }

  takeLogs(): string {
    const logs = this.logs + this.server.logs();
    this.logs = '';
    return logs;
  }

  async remove(): Promise<void> {
    await this.server.kill();
  }

  private async startAgain(isRebuilt: boolean): Promise<void> {
    if (isRebuilt) {
      await rm(join(this.server.storage, 'index'), { recursive: true });
      const options = { msMax: REBUILD_MS_MAX };
      const { code, stderr } = await runCli(['rebuild-index', '--config', this.server.configFile], options);
      if (code !== 0) throw new Error(`rebuild-index ended with ${String(code)}: ${stderr.slice(-2000)}`);
    }
    this.logs += this.server.logs();
    this.server = await startServer(this.options);
  }

  /** Also while the process is frozen or dead for other reasons: then it takes until that is over. */
  private async untilUp(node: number): Promise<void> {
    const deadline = Date.now() + UP_MS_MAX;
    for (;;) {
      try {
        await this.server.untilNode(node, 'up', UP_MS_MAX);
        return;
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await sleep(200);
      }
    }
  }

  private away(node: number): string {
    return join(this.options.directory, `away_${node}`);
  }
}

function clockOf(directory: string): string {
  return join(directory, 'clock');
}

function startServer({ directory, nodes, redundancy, config, plant }: FolderTargetOptions): Promise<TestServer> {
  return TestServer.start({
    directory,
    config: { node_count: nodes, redundancy_count: redundancy, ...config },
    environment: preloaded(clockOf(directory), plant),
  });
}
