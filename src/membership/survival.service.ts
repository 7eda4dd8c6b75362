import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import type { VersionId } from '../common/ids.js';
import type { Manifest, MetadataStore } from '../metadata/metadata-store.js';
import { inBackground } from '../nodes/background-work.js';
import type { StoreSurvival } from '../nodes/store-view.js';
import { CollectorService } from '../redundancy/collector.service.js';
import { reportLayout } from '../redundancy/survival.js';
import { Membership } from './membership.js';

/** While a node is away or files are moved, the answer changes without one that comes or goes. */
const LOOK_AGAIN_MS = 30_000;

/** Damaged shards of versions: stripe and index, as one word. */
type Damages = ReadonlyMap<VersionId, ReadonlySet<string>>;

/** Keeps up to date how many more nodes the worst file of the store survives. */
@Injectable()
export class SurvivalService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(SurvivalService.name);
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  /** The nodes for which the last answer holds. */
  private lookedAt: string | undefined;
  private lookAgainAt = 0;

  constructor(
    private readonly collector: CollectorService,
    private readonly membership: Membership,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.look(), this.membership.live.current.limits.probe_interval_ms);
    this.look();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort();
    await this.running;
  }

  private get metadata(): MetadataStore {
    return this.collector.metadata;
  }

  private look(): void {
    const { signal } = this.stopping;
    const key = this.key();
    if (this.running !== undefined || signal.aborted || (key === this.lookedAt && Date.now() < this.lookAgainAt)) return;
    this.running = inBackground(() => this.measure(signal))
      .then((survival) => {
        this.membership.view.survival = survival;
        this.lookedAt = key;
        this.lookAgainAt = Date.now() + LOOK_AGAIN_MS;
      })
      .catch((error: unknown) => {
        if (!signal.aborted) this.logger.error({ err: error }, 'what the store survives could not be found out');
      })
      .finally(() => (this.running = undefined));
  }

  /** What the answer depends on, as far as it can be told without looking at files. */
  private key(): string {
    const { registry, view, live } = this.membership;
    const readable = registry.reachable().filter((node) => !registry.losses.has(node));
    return `${readable.join()} ${live.redundancy} ${view.alignment === undefined}`;
  }

  /** One walk over all files. The layout of one is looked at only where it could be worse than the worst so far. */
  private async measure(signal: AbortSignal): Promise<StoreSurvival> {
    const at = Date.now();
    const damages = await this.damages(signal);
    let [survives, fileId]: [number, string | undefined] = [this.membership.live.redundancy, undefined];
    for await (const { file, manifest } of this.metadata.files(signal)) {
      if (fileId !== undefined && this.atLeast(manifest, damages) >= survives) continue;
      const found = await this.survivalOf(manifest, damages, signal);
      if (fileId !== undefined && found >= survives) continue;
      [survives, fileId] = [found, file.id];
      if (survives < 0) break;
    }
    return { survives, fileId, at };
  }

  /** A bound that costs nothing: as if one stripe had lost a shard on each node that cannot be read, and all that are damaged. */
  private atLeast({ m, usage, createdAt, versionId }: Manifest, damages: Damages): number {
    const { registry } = this.membership;
    const gone = usage.filter(({ node }) => !registry.isReadable(node, createdAt)).length;
    return m - gone - (damages.get(versionId)?.size ?? 0);
  }

  private async survivalOf(manifest: Manifest, damages: Damages, signal: AbortSignal): Promise<number> {
    const { registry } = this.membership;
    const { createdAt, versionId } = manifest;
    const bad = damages.get(versionId);
    const isReadable = ({ node, stripe, index }: { readonly node: number; readonly stripe: number; readonly index: number }) =>
      registry.isReadable(node, createdAt) && bad?.has(`${stripe}/${index}`) !== true;
    return (await reportLayout(this.metadata, manifest, { isReadable, placesMax: 0 }, signal)).survives;
  }

  private async damages(signal: AbortSignal): Promise<Damages> {
    const found = new Map<VersionId, Set<string>>();
    for await (const { shard } of this.metadata.damage(signal)) {
      const bad = found.get(shard.versionId) ?? new Set();
      found.set(shard.versionId, bad.add(`${shard.stripe}/${shard.index}`));
    }
    return found;
  }
}
