import { Injectable } from '@nestjs/common';
import { ByteBudget } from '../common/byte-budget.js';
import { AppConfig } from '../config/app-config.js';
import type { Limits } from '../config/limits.js';
import { requestBytes } from '../redundancy/scheme.js';

/** Requests of at most this size have a budget of their own, which no number of large ones can exhaust. */
const SMALL_BYTES = 64 * 1024;
/** Its part of the whole. */
const SMALL_SHARE = 1 / 8;

/** Lets a request begin to move bytes when there is memory for what it holds between socket and disk. */
@Injectable()
export class Admission {
  readonly limits: Limits;
  private readonly small: ByteBudget;
  private readonly large: ByteBudget;
  private readonly bytesPerRequest: number;

  constructor(config: AppConfig) {
    const { limits } = config;
    this.limits = limits;
    const smallBytes = Math.max(SMALL_BYTES, Math.floor(limits.process_bytes_in_flight * SMALL_SHARE));
    this.bytesPerRequest = requestBytes(config);
    this.small = new ByteBudget(smallBytes, limits.admission_ms_max);
    this.large = new ByteBudget(
      Math.max(this.bytesPerRequest, limits.process_bytes_in_flight - smallBytes),
      limits.admission_ms_max,
    );
  }

  /**
   * @param bytes of the whole body, if known: a small one takes a small share
   * @returns how to give the share back
   * @throws DomainError `too-busy`
   */
  admit(bytes: number | undefined, signal: AbortSignal): Promise<() => void> {
    const share = Math.min(bytes ?? Infinity, this.bytesPerRequest);
    return (share <= SMALL_BYTES ? this.small : this.large).take(share, signal);
  }

  /** The same body, which has its share from its first byte to its last. */
  async *admitted(
    body: AsyncIterable<Uint8Array>,
    bytes: number | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const release = await this.admit(bytes, signal);
    try {
      yield* body;
    } finally {
      release();
    }
  }
}
