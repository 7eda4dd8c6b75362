import { Injectable } from '@nestjs/common';
import { Registry } from 'prom-client';
import { errorCode } from '../common/errors.js';
import { AppConfig } from '../config/app-config.js';
import { Admission } from '../files/admission.js';
import { bytesRead } from '../files/body-reader.js';
import { decodeTicket } from '../files/read-ticket.js';
import { decodeStoreTicket, encodeStoreReport } from '../files/store-ticket.js';
import type { BodyStore, DelegatedBody, TicketTaker } from '../http/delegated-body.js';
import { counterOf } from '../http/metric-readers.js';
import { DelegationWorkers } from './delegation-workers.js';

/** How long a peer without the key that is needed is asked for nothing. */
const KEYLESS_MS = 10_000;

/** Moves bodies between clients and nodes in the place of the gateway, by its tickets (docs/adr/0026). */
@Injectable()
export class Delegations implements TicketTaker {
  readonly bytesMin: number;
  private readonly counts = { reads: 0, stores: 0, failures: 0 };
  private readonly waiting: (() => void)[] = [];
  private underWay = 0;
  private keylessUntil = -Infinity;

  constructor(
    { limits }: AppConfig,
    registry: Registry,
    private readonly admission: Admission,
    private readonly parts: DelegationWorkers,
  ) {
    this.bytesMin = limits.delegate_bytes_min;
    const count = (name: string, help: string, value: () => number): void => counterOf(registry, { name, help }, value);
    count('dcloud_delegated_reads_total', 'Bodies that this peer read from the nodes itself', () => this.counts.reads);
    count('dcloud_delegated_stores_total', 'Bodies that this peer put on the nodes itself', () => this.counts.stores);
    count('dcloud_delegated_failures_total', 'Bodies that it left to the gateway', () => this.counts.failures);
  }

  get isAble(): boolean {
    return this.parts.keys.isThere && performance.now() > this.keylessUntil;
  }

  async open(bytes: Uint8Array, signal: AbortSignal): Promise<DelegatedBody> {
    return this.attempt(async () => {
      const ticket = decodeTicket(bytes);
      const { lease, range, manifest } = ticket;
      const { desk, keys, reader } = this.parts;
      const endLease = desk.hold(lease);
      let close = endLease;
      try {
        const giveBack = await this.admission.admit(bytesRead(range, manifest), signal);
        close = this.begin(() => {
          giveBack();
          endLease();
        });
        const pieces = await reader.read(ticket, await keys.current(), signal);
        this.counts.reads += 1;
        return { length: range.to - range.from, pieces, close };
      } catch (error) {
        close();
        throw error;
      }
    });
  }

  async prepare(bytes: Uint8Array, signal: AbortSignal): Promise<BodyStore> {
    return this.attempt(async () => {
      const ticket = decodeStoreTicket(bytes);
      const { keys, writer } = this.parts;
      const store = writer.prepare(ticket, await keys.current());
      const end = this.begin(await this.admission.admit(ticket.bytes, signal));
      return {
        store: async (body, until) => {
          const report = await store(body, until).finally(end);
          if (report.kind === 'stored') this.counts.stores += 1;
          return encodeStoreReport(report);
        },
      };
    });
  }

  get isIdle(): boolean {
    return this.underWay === 0;
  }

  /** Resolves when no body is moved here any more. */
  async rest(): Promise<void> {
    while (this.underWay > 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  /** Notes a body that is moved; the result is to be called when that has ended. */
  private begin(release: () => void): () => void {
    this.underWay += 1;
    let isUnderWay = true;
    return () => {
      if (!isUnderWay) return;
      isUnderWay = false;
      release();
      this.underWay -= 1;
      if (this.underWay === 0) for (const resolve of this.waiting.splice(0)) resolve();
    };
  }

  private async attempt<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      this.counts.failures += 1;
      if (errorCode(error) === 'key-missing') this.keylessUntil = performance.now() + KEYLESS_MS;
      throw error;
    }
  }
}
