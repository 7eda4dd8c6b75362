import { Injectable } from '@nestjs/common';
import { Registry } from 'prom-client';
import { AppConfig } from '../config/app-config.js';
import { Admission } from '../files/admission.js';
import { bytesRead } from '../files/body-reader.js';
import { decodeTicket } from '../files/read-ticket.js';
import { decodeStoreTicket } from '../files/store-ticket.js';
import type { BodyStore, DelegatedBody, TicketTaker } from '../http/delegated-body.js';
import { counterOf } from '../http/metric-readers.js';
import { DelegationWorkers } from './delegation-workers.js';

/** Moves bodies between clients and nodes in the place of the gateway, by its tickets (docs/adr/0026). */
@Injectable()
export class Delegations implements TicketTaker {
  readonly bytesMin: number;
  private readonly counts = { reads: 0, stores: 0, failures: 0 };

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
    return this.parts.keys.isThere;
  }

  async open(bytes: Uint8Array, signal: AbortSignal): Promise<DelegatedBody> {
    return this.counted('reads', async () => {
      const ticket = decodeTicket(bytes);
      const { lease, range, manifest } = ticket;
      const { desk, keys, reader } = this.parts;
      const endLease = desk.hold(lease);
      try {
        const giveBack = await this.admission.admit(bytesRead(range, manifest), signal);
        const close = (): void => {
          giveBack();
          endLease();
        };
        try {
          return { length: range.to - range.from, pieces: await reader.read(ticket, await keys.current(), signal), close };
        } catch (error) {
          giveBack();
          throw error;
        }
      } catch (error) {
        endLease();
        throw error;
      }
    });
  }

  async prepare(bytes: Uint8Array, signal: AbortSignal): Promise<BodyStore> {
    return this.counted('stores', async () => {
      const ticket = decodeStoreTicket(bytes);
      const { keys, writer } = this.parts;
      const store = writer.prepare(ticket, await keys.current());
      const giveBack = await this.admission.admit(ticket.bytes, signal);
      return { store: (body, until) => store(body, until).finally(giveBack) };
    });
  }

  private async counted<Result>(what: 'reads' | 'stores', work: () => Promise<Result>): Promise<Result> {
    try {
      const result = await work();
      this.counts[what] += 1;
      return result;
    } catch (error) {
      this.counts.failures += 1;
      throw error;
    }
  }
}
