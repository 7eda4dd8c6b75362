import type { AppConfig } from './app-config.js';

/**
 * The configuration at this moment. Most of it is as it was at the start, and who needs only that may have the {@link AppConfig} of the start;
 * what a reload changes is read from here whenever it is needed.
 */
export class LiveConfig {
  constructor(private config: AppConfig) {}

  get current(): AppConfig {
    return this.config;
  }

  /** Nodes that may be lost without losing a file that is stored now. */
  get redundancy(): number {
    return this.config.redundancy_count;
  }

  /** @param config has passed every check, and changes nothing that needs a restart */
  replace(config: AppConfig): void {
    this.config = config;
  }
}
