import { Injectable, Logger, OnApplicationShutdown } from '@nestjs/common';
import { AppConfig } from '../../config/app-config.js';
import type { Damage, MetadataStore } from '../../metadata/metadata-store.js';
import type { NodeError, ShardId } from '../../nodes/storage-node.js';
import { CollectorService } from '../collector.service.js';
import { LayoutReader } from '../layout-reader.js';

/** Reports that wait to be looked at; what comes beyond is found again by the next read or scrub. */
const WAITING_MAX = 10_000;

/** Takes note of shards that are not as they were put, durably, so that they are mended whatever happens to this process. */
@Injectable()
export class DamageLog implements OnApplicationShutdown {
  private readonly logger = new Logger(DamageLog.name);
  private readonly stopping = new AbortController();
  private readonly waiting = new Map<string, Damage & { readonly kind: NodeError['kind'] }>();
  private flushing: Promise<void> | undefined;
  private onNoted: () => void = () => undefined;

  constructor(
    private readonly config: AppConfig,
    private readonly collector: CollectorService,
  ) {}

  private get metadata(): MetadataStore {
    return this.collector.metadata;
  }

  /** @param onNoted told when there is new damage in the index */
  tell(onNoted: () => void): void {
    this.onNoted = onNoted;
  }

  /** A read met a shard that is missing or damaged. Returns at once. */
  report(node: number, shard: ShardId, error: NodeError): void {
    const { versionId, stripe, index } = shard;
    if (this.waiting.size >= WAITING_MAX || this.stopping.signal.aborted) return;
    const { kind } = error;
    this.waiting.set(`${versionId}/${stripe}/${index}/${node}`, { node, shard: { versionId, stripe, index }, kind });
    this.flushSoon();
  }

  /** Notes what still is damage: a shard that was moved while it was read, or whose file is gone, is not missed. */
  async note(damage: readonly (Damage & { readonly kind?: NodeError['kind'] })[], signal: AbortSignal): Promise<number> {
    const real: Damage[] = [];
    for (const one of damage) {
      if (!(await this.isReal(one, signal))) continue;
      real.push(one);
      const { node, shard, kind } = one;
      this.logger.warn({ node, versionId: shard.versionId, stripe: shard.stripe, kind }, 'a shard is not as it was put');
    }
    if (real.length === 0) return 0;
    await this.metadata.noteDamage(real, this.config.limits.damage_max, signal);
    this.onNoted();
    return real.length;
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    await this.flushing;
  }

  private flushSoon(): void {
    if (this.waiting.size === 0 || this.stopping.signal.aborted) return;
    this.flushing ??= this.flush()
      .catch((error: unknown) => this.logger.error({ err: error }, 'damage could not be noted'))
      .finally(() => {
        this.flushing = undefined;
        this.flushSoon();
      });
  }

  private async flush(): Promise<void> {
    while (this.waiting.size > 0 && !this.stopping.signal.aborted) {
      const damage = [...this.waiting.values()];
      this.waiting.clear();
      await this.note(damage, this.stopping.signal);
    }
  }

  private async isReal({ node, shard }: Damage, signal: AbortSignal): Promise<boolean> {
    if (!(await this.metadata.isCommitted(shard.versionId, signal))) return false;
    const nodes = await new LayoutReader(this.metadata, shard.versionId).nodes(shard.stripe, signal);
    return nodes[shard.index] === node;
  }
}
