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
  /** Since when this one is not heard, by a clock that never goes back. */
  private silence: { readonly gateway: number; readonly since: number } | undefined;
  /** What the gateway said last: which run it is of, and which keys it has. */
  private known: { readonly gateway: number; readonly run: string; readonly keys: readonly string[] | undefined } | undefined;

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

  /**
   * The gateway, as long as this process would not take its place: one that was silent for a moment only, or was not asked yet, counts as heard.
   * Undefined from `takeover_after` on, and at once if it would be this process itself.
   */
  get hears(): number | undefined {
    const { map, number, config } = this.member;
    if (map === undefined || map.gateway === number) return undefined;
    const isSilent = config.takeover_after !== null && this.silentMs >= config.takeover_after * 1000;
    return isSilent ? undefined : map.gateway;
  }

  /** For how long the gateway was not heard, milliseconds; 0 if it is, or if nobody knows who it is. */
  get silentMs(): number {
    const { silence } = this;
    return silence === undefined || silence.gateway !== this.member.map?.gateway ? 0 : performance.now() - silence.since;
  }

  /** The fingerprints of the key ring that the gateway had when it was last heard; undefined if it never was. */
  get keys(): readonly string[] | undefined {
    return this.known?.keys;
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
      if (map === undefined || map.gateway === number) {
        if (map !== undefined) this.miss(map);
        await this.hearAll(signal);
      } else {
        const hello = await this.member.hear(map.gateway, signal);
        requireSame(map, hello);
        this.note(map.gateway, hello);
      }
      const wasSilent = this.failures > 1;
      this.failures = 0;
      if (!wasSilent) return;
      this.logger.log('the gateway answers again');
      this.listener(false);
    } catch (error) {
      if (signal.aborted) return;
      if (map !== undefined) this.miss(map);
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
    if (gateway !== undefined && hello !== undefined && serves(hello)) this.note(gateway, hello);
  }

  /** @throws NodeError if it is not, or not yet, what the map says */
  private note(gateway: number, hello: PeerHello): void {
    if (!serves(hello)) throw new NodeError('unavailable', 'it does not serve');
    const before = this.known?.gateway === gateway ? this.known.keys : undefined; // one that only just begins does not say
    this.known = { gateway, run: hello.run, keys: hello.keys ?? before };
    this.silence = undefined;
  }

  /** From now on, and not from when it was asked: this process may have slept in between. */
  private miss({ gateway }: ClusterMap): void {
    if (this.silence?.gateway !== gateway) this.silence = { gateway, since: performance.now() };
  }
}

function requireSame({ clusterId }: ClusterMap, { map }: PeerHello): void {
  if (map !== undefined && map.clusterId !== clusterId)
    throw new NodeError('rejected', `it is of another cluster, ${map.clusterId}, and this process of ${clusterId}`);
}

/** Whether a process serves, or, as an older program, does not say. */
function serves({ number, hears }: PeerHello): boolean {
  return hears === undefined || hears === number;
}
