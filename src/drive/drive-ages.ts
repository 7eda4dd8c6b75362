import { Injectable } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import type { DocumentHead } from '../documents/document-store.js';
import { DriveClock } from './drive-clock.js';

/** How old things are. */
@Injectable()
export class DriveAges {
  constructor(
    private readonly config: AppConfig,
    private readonly clock: DriveClock,
  ) {}

  /** Whether something cannot belong to a change that is under way any more. */
  isOld({ updatedAt }: Pick<DocumentHead, 'updatedAt'>): boolean {
    return this.clock.now() - updatedAt >= this.config.limits.orphan_grace_ms;
  }

  /** @param at milliseconds since 1970 */
  isOver(at: number): boolean {
    return at <= this.clock.now();
  }
}
