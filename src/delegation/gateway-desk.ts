import { Logger, type OnApplicationShutdown } from '@nestjs/common';
import type { LeaseId, VersionId } from '../common/ids.js';
import type { FoundDamage, Leases } from '../nodes/peer/read-desk.js';

/** How often leases are renewed, milliseconds; see DelegatedReads for how long they last. */
const RENEW_MS = 5000;
/** How long the end waits for the gateway to hear of what has ended. */
const LAST_WORDS_MS = 500;
/** Ended leases and damage that wait to be told; what is beyond ends by itself, or is found again. */
const WAITING_MAX = 10_000;

/** The way to the desk of the gateway, whichever process that is. @throws NodeError, also if there is none now */
export interface DeskCalls {
  layout(versionId: VersionId, page: number, signal: AbortSignal): Promise<Uint8Array | undefined>;
  lease(leases: Leases, signal: AbortSignal): Promise<void>;
  damaged(found: readonly FoundDamage[], signal: AbortSignal): Promise<void>;
}

/** What a peer that reads tells the gateway: which leases it needs, which no more, and what it found damaged. It waits for nothing of it. */
export class GatewayDesk implements OnApplicationShutdown {
  private readonly logger = new Logger(GatewayDesk.name);
  private readonly stopping = new AbortController();
  private readonly held = new Set<LeaseId>();
  private ended: LeaseId[] = [];
  private found: FoundDamage[] = [];
  private timer: NodeJS.Timeout | undefined;
  private telling: Promise<void> | undefined;

  constructor(readonly calls: DeskCalls) {}

  /** Keeps a lease until the result is called. */
  hold(lease: LeaseId): () => void {
    this.held.add(lease);
    this.timer ??= setInterval(() => this.renew(), RENEW_MS);
    return () => {
      if (!this.held.delete(lease)) return;
      if (this.ended.length < WAITING_MAX) this.ended.push(lease);
      this.tellSoon();
    };
  }

  report(damage: FoundDamage): void {
    if (this.found.length >= WAITING_MAX) return;
    this.found.push(damage);
    this.tellSoon();
  }

  /** What is still to be told a gateway that does not answer soon finds out by itself. */
  async onApplicationShutdown(): Promise<void> {
    const limit = setTimeout(() => this.stopping.abort(), LAST_WORDS_MS);
    await this.telling;
    clearTimeout(limit);
    clearInterval(this.timer);
    this.stopping.abort();
  }

  private renew(): void {
    if (this.held.size > 0) this.tellSoon();
    else {
      clearInterval(this.timer);
      this.timer = undefined;
    }
  }

  /** One call at a time: what comes meanwhile goes together. */
  private tellSoon(): void {
    this.telling ??= this.tell()
      .catch((error: unknown) => this.logger.debug({ err: error }, 'the gateway could not be told what became of a read'))
      .finally(() => {
        this.telling = undefined;
        if ((this.ended.length > 0 || this.found.length > 0) && !this.stopping.signal.aborted) this.tellSoon();
      });
  }

  private async tell(): Promise<void> {
    const { ended, found } = this;
    this.ended = [];
    this.found = [];
    const { signal } = this.stopping;
    await this.calls.lease({ held: [...this.held], ended }, signal);
    if (found.length > 0) await this.calls.damaged(found, signal);
  }
}
