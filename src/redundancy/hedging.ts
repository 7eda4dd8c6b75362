import type { Limits } from '../config/limits.js';
import type { CallClass, NodeLatencies } from '../nodes/node-latencies.js';

export type HedgeLimits = Pick<Limits, 'hedge_ms_min' | 'hedge_ms_max' | 'hedge_percent' | 'hedge_burst'>;

/**
 * When a read is asked of a second node (Dean and Barroso, The Tail at Scale, 2013), and how often: if all nodes are late because there is
 * too much to do, asking twice makes it worse. One for the whole process.
 */
export class Hedging {
  private tokens: number;

  constructor(private readonly limits: HedgeLimits) {
    this.tokens = limits.hedge_burst;
  }

  /** How long to wait for a node that usually takes so long. One that is not known yet is given the longest time. */
  delayMs(latencies: NodeLatencies, kind: CallClass): number {
    const { hedge_ms_min: least, hedge_ms_max: most } = this.limits;
    return Math.min(most, Math.max(least, latencies.p95(kind) ?? most));
  }

  /** Notes a request that is no hedge: it earns a part of one. */
  earn(): void {
    this.tokens = Math.min(this.limits.hedge_burst, this.tokens + this.limits.hedge_percent / 100);
  }

  get mayHedge(): boolean {
    return this.tokens >= 1;
  }

  spend(requests: number): void {
    this.tokens -= requests;
  }
}
