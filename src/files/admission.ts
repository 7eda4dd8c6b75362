import { Injectable } from '@nestjs/common';
import { ByteBudget } from '../common/byte-budget.js';
import { AppConfig } from '../config/app-config.js';
import { requestBytesInFlight } from '../config/limits.js';

/** Lets a request begin to move bytes when there is memory for what it holds between socket and disk. */
@Injectable()
export class Admission {
  private readonly budget: ByteBudget;
  private readonly bytesPerRequest: number;

  constructor(config: AppConfig) {
    const { limits, size_per_slice: sliceBytes } = config;
    this.budget = new ByteBudget(limits.process_bytes_in_flight, limits.admission_ms_max);
    this.bytesPerRequest = requestBytesInFlight(limits, sliceBytes);
  }

  /**
   * @param bytes of the whole body, if known: a small one takes a small share
   * @returns how to give the share back
   * @throws DomainError `too-busy`
   */
  admit(bytes: number | undefined, signal: AbortSignal): Promise<() => void> {
    return this.budget.take(Math.min(bytes ?? Infinity, this.bytesPerRequest), signal);
  }
}
