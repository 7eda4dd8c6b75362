import type { ChildProcess } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PeerCluster } from '../test/support/peer-cluster.ts';
import { atExit } from './kit/at-exit.ts';
import { measure, type Watched } from './kit/measure.ts';
import { fill } from './kit/servers.ts';
import { MiB } from './kit/sizes.ts';
import type { Turn } from './kit/trial.ts';
import type { LoadSize } from './load.ts';
import { get, put } from './requests.ts';
import { cpuSeconds, peakMiB, resetPeak } from './subject.ts';

const FILE_BYTES = 4 * MiB;
const FILES = 40;
/** A node that is frozen or dead is down within this time. */
export const MARKED_MS_MAX = 5000;

/** A cluster of real processes with files of 4 MiB, of which any are got by way of the gateway. */
export class GetCluster {
  readonly peers: PeerCluster;
  private readonly ids: readonly string[];
  private readonly directory: string;
  private readonly forget: () => void;

  private constructor(peers: PeerCluster, ids: readonly string[], directory: string) {
    this.peers = peers;
    this.ids = ids;
    this.directory = directory;
    this.forget = atExit({ pids: () => this.running().map(({ pid }) => pid as number), directory });
  }

  static async start({ nodes, redundancy, directory: base }: ClusterSize): Promise<GetCluster> {
    const directory = await mkdtemp(join(base, 'dcloud-bench-'));
    // What is measured are nodes, so nothing may be read from the gateway's memory; nor may repair begin, or damping end the rounds.
    const config = { log_level: 'error', repair_after: 3600, limits: { small_cache_bytes: 0, flap_window_ms: 1 } };
    try {
      const peers = await PeerCluster.start({ nodes, redundancy, config, directory });
      const port = portOf(peers);
      const ids = await fill({ port }, { clients: 4, operations: FILES }, () => put(randomBytes(FILE_BYTES)));
      return new GetCluster(peers, ids, directory);
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Processor time is that of all processes which run, memory that of the gateway. */
  measure(size: LoadSize): Promise<Turn> {
    return measure(this.watched(), { ...size, bytesEach: FILE_BYTES }, () => get(this.ids[randomInt(this.ids.length)] ?? ''));
  }

  async end(): Promise<void> {
    await this.peers.remove();
    await rm(this.directory, { recursive: true, force: true });
    this.forget();
  }

  private running(): readonly ChildProcess[] {
    const all = Array.from({ length: this.peers.options.nodes }, (_, at) => this.peers.process(at + 1));
    return all.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
  }

  private watched(): Watched {
    const gateway = this.peers.process(1).pid as number;
    const running = this.running();
    return {
      port: portOf(this.peers),
      cpuSeconds: () => running.reduce((sum, { pid }) => sum + cpuSeconds(pid as number), 0),
      peakMiB: () => peakMiB(gateway),
      resetPeak: () => resetPeak(gateway),
    };
  }
}

export interface ClusterSize {
  readonly nodes: number;
  readonly redundancy: number;
  /** Where its directory is made. */
  readonly directory: string;
}

function portOf(peers: PeerCluster): number {
  return Number(new URL(peers.url(1)).port);
}
