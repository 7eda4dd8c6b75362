import { Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { LiveConfig } from '../config/live-config.js';
import { MetadataStore } from '../metadata/metadata-store.js';
import { NodeRegistry } from '../nodes/node-registry.js';

/** Time that the index has to prove that it can be written. */
const INDEX_MS_MAX = 2000;

/** Whether files can be stored now, and what stands in the way. */
@Injectable()
export class ReadinessService {
  constructor(
    private readonly config: LiveConfig,
    private readonly metadata: MetadataStore,
    private readonly registry: NodeRegistry,
    private readonly indicators: HealthIndicatorService,
  ) {}

  /** The index can be written. */
  async index(): Promise<HealthIndicatorResult> {
    const indicator = this.indicators.check('index');
    try {
      await this.metadata.probe(AbortSignal.timeout(INDEX_MS_MAX));
      return indicator.up();
    } catch {
      return indicator.down({ reason: 'the index cannot be written' });
    }
  }

  /** As many nodes are up as each file must be stored on. */
  nodes(): HealthIndicatorResult {
    const indicator = this.indicators.check('nodes');
    const up = this.registry.writable().length;
    const needed = this.config.redundancy + 1;
    return up >= needed ? indicator.up({ up, needed }) : indicator.down({ up, needed });
  }
}
