import { Injectable } from '@nestjs/common';
import { Registry } from 'prom-client';
import { VersionCrypto, type VersionOpening } from '../crypto/version-keys.js';
import { Admission } from '../files/admission.js';
import { BodyReader, bytesRead, startingWith } from '../files/body-reader.js';
import { decodeTicket } from '../files/read-ticket.js';
import type { DelegatedBody, TicketReader } from '../http/delegated-body.js';
import { counterOf } from '../http/metric-readers.js';
import { GatewayDesk } from './gateway-desk.js';
import { KeyRingCopy } from './key-ring-copy.js';

/** Reads bodies from the nodes and opens them, by tickets of the gateway (docs/adr/0026). */
@Injectable()
export class DelegatedReader implements TicketReader {
  private opened = 0;
  private failed = 0;

  constructor(
    private readonly keys: KeyRingCopy,
    private readonly desk: GatewayDesk,
    private readonly bodies: BodyReader,
    private readonly admission: Admission,
    registry: Registry,
  ) {
    const count = (name: string, help: string, value: () => number): void => counterOf(registry, { name, help }, value);
    count('dcloud_delegated_reads_total', 'Bodies that this peer read itself', () => this.opened);
    count('dcloud_delegated_reads_failed_total', 'Bodies that it was to read and could not', () => this.failed);
  }

  /** Whether tickets can be used here, as far as is known. */
  get isAble(): boolean {
    return this.keys.isThere;
  }

  /** Resolves with the body when its first bytes are there. Whatever it throws, the gateway may be able to read it. */
  async open(ticket: Uint8Array, signal: AbortSignal): Promise<DelegatedBody> {
    const { lease, range, manifest } = decodeTicket(ticket);
    const endLease = this.desk.hold(lease);
    let giveBack = (): void => undefined;
    const close = (): void => {
      giveBack();
      endLease();
    };
    try {
      giveBack = await this.admission.admit(bytesRead(range, manifest), signal);
      const keyRing = await this.keys.current();
      const { fileId, versionId, seal } = manifest;
      const opening: VersionOpening = new VersionCrypto(() => keyRing).open({ fileId, versionId }, seal);
      const pieces = this.bodies.read({ manifest, unseal: () => opening }, range, signal);
      const first = await pieces.next();
      if (first.done === true) throw new RangeError('a ticket is for more than nothing');
      this.opened += 1;
      return { length: range.to - range.from, pieces: startingWith(first.value, pieces), close };
    } catch (error) {
      this.failed += 1;
      close();
      throw error;
    }
  }
}
