import { Logger } from '@nestjs/common';
import type { ClusterMap } from '../config/cluster-map.js';
import type { PeerHello } from '../nodes/peer/peer-hello.js';
import { NodeError } from '../nodes/storage-node.js';
import type { ClusterMember } from './cluster-member.js';
import type { ForwardTarget } from './forwarder.js';

/**
 * What a peer knows of the gateway. It is asked on a schedule: a request that would only wait for a frozen process is refused at once, and
 * a peer that was given no map, because its disk is new, learns where the gateway is.
 */
export class GatewayWatch {
  private readonly logger = new Logger(GatewayWatch.name);
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  /** Failures in a row; the second one counts. */
  private failures = 0;
  /** Which run the gateway is of, by what it said last. */
  private known: { readonly gateway: number; readonly run: string } | undefined;

  private listener: (isSilent: boolean) => void = () => undefined;

  constructor(private readonly member: ClusterMember) {}

  /** Told after each look that found the gateway silent once more, and when it answers again. */
  onSilence(listener: (isSilent: boolean) => void): void {
    this.listener = listener;
  }

  start(): void {
    this.timer = setInterval(() => this.look(), this.member.config.limits.probe_interval_ms);
    this.look();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort();
    await this.running;
  }

  /** Why no request can be passed on, in words; undefined if it can. */
  problem(): string | undefined {
    const { map, number } = this.member;
    if (map === undefined) return 'no map of the cluster has come here yet';
    if (map.gateway === number) return 'this process was made the gateway and has no index yet: run dcloud takeover again';
    return this.failures > 1
      ? `the process of node ${map.gateway}, which holds the index, does not answer, or not as it should`
      : undefined;
  }

  /** Where requests go; undefined if that cannot be told now. */
  target(): ForwardTarget | undefined {
    const { map, number, config } = this.member;
    if (map === undefined || map.gateway === number || this.known?.gateway !== map.gateway) return undefined;
    const origin = config.peers[map.gateway - 1];
    return origin === undefined ? undefined : { origin, run: this.known.run };
  }

  /** Asks the gateway now. It does not reject: what went wrong is the {@link problem}. */
  async relearn(): Promise<ForwardTarget | undefined> {
    await this.running; // it may have asked before what was heard since
    this.look();
    await this.running;
    return this.target();
  }

  private look(): void {
    if (this.stopping.signal.aborted) return;
    this.running ??= this.ask().finally(() => (this.running = undefined));
  }

  private async ask(): Promise<void> {
    const { map, number } = this.member;
    const { signal } = this.stopping;
    try {
      if (map === undefined || map.gateway === number) await this.hearAll(signal);
      else {
        const hello = await this.member.hear(map.gateway, signal);
        requireSame(map, hello);
        this.known = { gateway: map.gateway, run: hello.run };
      }
      const wasSilent = this.failures > 1;
      this.failures = 0;
      if (!wasSilent) return;
      this.logger.log('the gateway answers again');
      this.listener(false);
    } catch (error) {
      if (signal.aborted) return;
      this.failures += 1;
      if (this.failures > 1) this.listener(true);
      if (this.failures !== 2) return;
      this.logger.warn({ err: error }, 'the gateway does not answer');
      // Another one may have taken over while this peer could not be reached. It fails only when it is stopped, and who stops waits for it.
      await this.hearAll(signal).catch(() => undefined);
    }
  }

  private async hearAll(signal: AbortSignal): Promise<void> {
    const answers = await this.member.hearAll(signal);
    const gateway = this.member.map?.gateway;
    const hello = gateway === undefined ? undefined : answers.get(gateway);
    if (gateway !== undefined && hello !== undefined) this.known = { gateway, run: hello.run };
  }
}

function requireSame({ clusterId }: ClusterMap, { map }: PeerHello): void {
  if (map !== undefined && map.clusterId !== clusterId)
    throw new NodeError('rejected', `it is of another cluster, ${map.clusterId}, and this process of ${clusterId}`);
}
