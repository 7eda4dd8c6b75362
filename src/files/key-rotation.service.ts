import { BeforeApplicationShutdown, Injectable, Logger, OnApplicationBootstrap } from '@nestjs/common';
import { VersionCrypto } from '../crypto/version-keys.js';
import { KeyRingHolder } from '../crypto/key-ring.holder.js';
import { MetadataStore } from '../metadata/metadata-store.js';
import { KeyUse } from './key-use.js';

/** Versions that are wrapped anew between two looks at whether we should stop. */
const BATCH = 200;

/**
 * After `dcloud keys rotate`: wraps the keys of all versions by the new active key, in the background, and drops an old key when nothing
 * is wrapped by it any more. Slices are never touched; everything can be read before, during and after.
 */
@Injectable()
export class KeyRotationService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(KeyRotationService.name);
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;

  constructor(
    private readonly metadata: MetadataStore,
    private readonly crypto: VersionCrypto,
    private readonly keys: KeyRingHolder,
    private readonly keyUse: KeyUse,
  ) {}

  onApplicationBootstrap(): void {
    this.keys.watch((problem) => {
      if (problem === undefined) this.start();
      else this.logger.error({ err: problem }, 'the key ring was changed and cannot be read: the keys in use stay');
    });
    this.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.keys.unwatch();
    this.stopping.abort();
    await this.running;
  }

  private start(): void {
    this.running ??= this.work().finally(() => (this.running = undefined));
  }

  private async work(): Promise<void> {
    try {
      for (const key of this.keys.current().keys) if (key.state !== 'active') await this.retire(key.id);
    } catch (error) {
      if (!this.stopping.signal.aborted)
        this.logger.error({ err: error }, 'wrapping keys anew failed; it goes on with the next change or start');
    }
  }

  private async retire(id: string): Promise<void> {
    const { signal } = this.stopping;
    // Since the change nothing new is sealed by it; when the commits that still were are through, the index knows all that is.
    await this.keyUse.idle(id);
    let count = 0;
    for (;;) {
      const versions = await this.metadata.wrappedBy(id, BATCH, signal);
      if (versions.length === 0) break;
      for (const { fileId, versionId, seal } of versions) {
        if (await this.metadata.rewrap(versionId, this.crypto.rewrap({ fileId, versionId }, seal), signal)) count += 1;
      }
    }
    this.keys.drop(id);
    this.logger.log({ key: id, versions: count }, 'a key was retired: nothing is sealed by it any more');
  }
}
