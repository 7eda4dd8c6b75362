import { Logger } from '@nestjs/common';
import type { Limits } from '../config/limits.js';
import { membersOf, type ClusterMap } from '../config/cluster-map.js';
import type { ClusterMember } from './cluster-member.js';

/** Pauses before what failed is tried again: the first one, which doubles. */
const RETRY_MS = 1000;
const RETRY_MS_MOST = 30_000;

export interface AutoTakeoverParts {
  readonly member: ClusterMember;
  /** See ClusterRole. */
  readonly silentMs: () => number;
  /** Makes this process the gateway. @throws DomainError as {@link Takeover} */
  readonly takeOver: (signal: AbortSignal) => Promise<void>;
}

/**
 * Lets this process take over by itself when the gateway is gone and the index is not gone with it. None of the peers that answer may have heard the
 * gateway for `takeover_after`, and with this one they must be half of the cluster, so that those who are only cut off from it do not take it from the
 * others. The peers try one after the other, by their numbers; that two do so at the same time does no harm (docs/adr/0024).
 */
export class AutoTakeover {
  private readonly logger = new Logger(AutoTakeover.name);
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private retryAt = 0;
  private retryMs = RETRY_MS;
  private reported = '';

  constructor(private readonly parts: AutoTakeoverParts) {}

  start(): void {
    const { metadata, limits } = this.parts.member.config;
    if (metadata.driver === 'postgres') this.timer = setInterval(() => this.look(), limits.probe_interval_ms);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort();
    await this.running;
  }

  private look(): void {
    if (this.stopping.signal.aborted || !this.isDue()) return;
    this.running ??= this.attempt()
      .catch((error: unknown) => this.fail(error))
      .finally(() => (this.running = undefined));
  }

  private isDue(): boolean {
    const { member, silentMs } = this.parts;
    const { takeover_after: after, limits } = member.config;
    const { map, number } = member;
    if (after === null || map === undefined || performance.now() < this.retryAt) return false;
    const others = membersOf(map).filter((node) => node !== map.gateway || node === number);
    const turn = others.indexOf(number);
    return turn >= 0 && silentMs() > after * 1000 + turn * turnMs(limits);
  }

  private async attempt(): Promise<void> {
    const { member, takeOver } = this.parts;
    const { signal } = this.stopping;
    const { gateway, term } = member.map as ClusterMap;
    if (!(await this.isGone(term, signal))) return;
    this.logger.warn({ gateway, term }, 'nobody hears the gateway: takes over by itself');
    await takeOver(signal);
    this.retryMs = RETRY_MS;
    this.reported = '';
  }

  /** Whether so many answer that those who do not are no larger part of the cluster, and none of them hears the gateway, or may. */
  private async isGone(term: number, signal: AbortSignal): Promise<boolean> {
    const { member } = this.parts;
    const answers = await member.hearAll(signal);
    if (member.map?.term !== term) return false;
    const members = membersOf(member.map);
    const others = members.filter((node) => answers.has(node)).length;
    if (2 * (others + 1) < members.length) return false;
    return [...answers.values()].every(
      ({ hears, map }) => hears === null || (hears !== undefined && map !== undefined && map.term !== term),
    );
  }

  private fail(error: unknown): void {
    if (this.stopping.signal.aborted) return;
    this.retryAt = performance.now() + this.retryMs * (1 + Math.random());
    this.retryMs = Math.min(RETRY_MS_MOST, 2 * this.retryMs);
    const text = String(error);
    if (text !== this.reported) this.logger.error({ err: error }, 'could not take over, and will try again');
    this.reported = text;
  }
}

/** In which who comes first sees that it is due, asks the others, asks them again as a takeover does, and has told them. */
function turnMs({ probe_interval_ms: look, probe_ms_max: answer }: Limits): number {
  return 2 * look + 3 * answer;
}
