import type { IncomingMessage } from 'node:http';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { ByteRange } from '../common/byte-range.js';
import { newId, type LeaseId, type VersionId } from '../common/ids.js';
import { AppConfig } from '../config/app-config.js';
import { ticketProverOf } from '../http/forwarded.js';
import { MetadataStore } from '../metadata/metadata-store.js';
import { RedundancyService } from '../redundancy/redundancy.service.js';
import type { DamageListener } from '../redundancy/stripe-reader.js';
import type { ReadableVersion } from './body-reader.js';
import { encodeTicket } from './read-ticket.js';

/** Leases at once: whoever asks for more is given the body and no ticket. */
const LEASES_MAX = 10_000;
/** How long a lease lasts that its peer does not renew; six times the pause after which it does. */
const LEASE_MS = 30_000;
const LOOK_MS = 5000;

/** A ticket, and what proves it to the peer that is to have it. */
export interface ProvenTicket {
  readonly ticket: Uint8Array;
  readonly proof: string;
}

interface Lease {
  readonly release: () => void;
  endsAt: number;
}

/**
 * Lets the peer through which a request came read its body from the nodes and open it, so that the bytes of large files do not pass the
 * gateway (docs/adr/0026). Who may have it, and which version that is, was decided here; until the peer is done, or is not heard any more, the
 * version is held.
 */
@Injectable()
export class DelegatedReads implements OnApplicationShutdown {
  private readonly leases = new Map<LeaseId, Lease>();
  private readonly bytesMin: number;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    { limits }: AppConfig,
    private readonly metadata: MetadataStore,
    private readonly redundancy: RedundancyService,
  ) {
    this.bytesMin = limits.delegate_bytes_min;
  }

  /** How the peer can read a part of a version itself; undefined if it came through none that does, or the part is too small to be worth it. */
  offer({ manifest }: ReadableVersion, range: ByteRange, request: IncomingMessage): ProvenTicket | undefined {
    if (this.bytesMin === 0 || range.to - range.from < this.bytesMin || this.leases.size >= LEASES_MAX) return undefined;
    const prover = ticketProverOf(request);
    if (prover === undefined) return undefined;
    const lease = newId<LeaseId>();
    this.leases.set(lease, { release: this.redundancy.hold(manifest.versionId), endsAt: performance.now() + LEASE_MS });
    this.timer ??= setInterval(() => this.endOld(), LOOK_MS).unref();
    const ticket = encodeTicket({ lease, range, manifest });
    return { ticket, proof: prover.prove(ticket) };
  }

  /** One page of a version's layout as it is now. */
  layout(versionId: VersionId, page: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    return this.metadata.readLayout(versionId, page, signal);
  }

  /** Renews leases and ends others, by their names. One that is not known has ended. */
  lease({ held, ended }: { readonly held: readonly LeaseId[]; readonly ended: readonly LeaseId[] }): void {
    const endsAt = performance.now() + LEASE_MS;
    for (const name of held) {
      const lease = this.leases.get(name);
      if (lease !== undefined) lease.endsAt = endsAt;
    }
    for (const name of ended) this.end(name);
  }

  /** Takes note of a shard that a peer found missing or damaged. */
  readonly damaged: DamageListener = (...damage) => this.redundancy.damaged(...damage);

  onApplicationShutdown(): void {
    clearInterval(this.timer);
    for (const name of this.leases.keys()) this.end(name);
  }

  private endOld(): void {
    const now = performance.now();
    for (const [name, { endsAt }] of this.leases) if (endsAt < now) this.end(name);
  }

  private end(name: LeaseId): void {
    this.leases.get(name)?.release();
    this.leases.delete(name);
  }
}
