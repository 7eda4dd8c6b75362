import { BeforeApplicationShutdown, Injectable, Logger, OnApplicationBootstrap } from '@nestjs/common';
import { errorCode } from '../common/errors.js';
import type { VersionId } from '../common/ids.js';
import { mapOrdered } from '../common/map-ordered.js';
import { VersionCrypto } from '../crypto/version-keys.js';
import { KeyRingHolder } from '../crypto/key-ring.holder.js';
import type { Manifest, MetadataStore } from '../metadata/metadata-store.js';
import { AmendService, type FileEdit } from './amend.service.js';
import { KeyUse } from './key-use.js';

/** Versions that are wrapped anew between two looks at the index. */
const BATCH = 200;
/** Versions that are wrapped anew at once. */
const WIDTH = 16;

/** After a failure, most likely of nodes, it is tried again in this time. */
const RETRY_MS = 60_000;

interface Rewrapped {
  readonly versionId: VersionId;
  readonly done: boolean;
}

/**
 * After `dcloud keys rotate`: wraps the keys of all versions by the new active key, in the background, and drops an old key when nothing
 * is wrapped by it any more. Slices are never touched; everything can be read before, during and after.
 */
@Injectable()
export class KeyRotationService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(KeyRotationService.name);
  private readonly stopping = new AbortController();
  /** Aborted, and replaced, by every change of the key ring. */
  private unchanged = new AbortController();
  private running: Promise<void> | undefined;
  private retry: NodeJS.Timeout | undefined;

  constructor(
    private readonly amends: AmendService,
    private readonly crypto: VersionCrypto,
    private readonly keys: KeyRingHolder,
    private readonly keyUse: KeyUse,
  ) {}

  private get metadata(): MetadataStore {
    return this.amends.metadata;
  }

  onApplicationBootstrap(): void {
    this.keys.watch((problem) => {
      if (problem === undefined) this.start();
      else this.logger.error({ err: problem }, 'the key ring file is not as it should be: the keys in use stay');
    });
    this.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.keys.unwatch();
    clearTimeout(this.retry);
    this.stopping.abort();
    await this.running;
  }

  private start(): void {
    this.unchanged.abort();
    this.unchanged = new AbortController();
    this.running ??= this.work().finally(() => (this.running = undefined));
  }

  private async work(): Promise<void> {
    const { signal } = this.stopping;
    const tried = new Set<string>();
    // Looked up anew each time: a change in the middle may bring one more.
    const next = (): string | undefined =>
      this.keys.current().keys.find((key) => key.state !== 'active' && !tried.has(key.id))?.id;
    for (let id = next(); id !== undefined && !signal.aborted; id = next()) {
      // Since the change nothing new is sealed by it; when the commits that still were are through, the index knows all that is.
      // After another change it may be in use again, so that the waiting would have no end.
      if (!(await this.keyUse.idle(id, AbortSignal.any([signal, this.unchanged.signal])))) continue;
      tried.add(id);
      await this.tryToRetire(id);
    }
  }

  private async tryToRetire(id: string): Promise<void> {
    try {
      await this.retire(id);
    } catch (error) {
      if (this.stopping.signal.aborted) return;
      this.logger.error({ err: error }, 'wrapping keys anew failed and will be tried again');
      this.retry ??= setTimeout(() => {
        this.retry = undefined;
        this.start();
      }, RETRY_MS).unref();
    }
  }

  /** Wraps anew what is wrapped by a key, and drops it when nothing is; ends at once when it is the active one again. */
  private async retire(id: string): Promise<void> {
    const { signal } = this.stopping;
    const passed = new Set<VersionId>();
    let count = 0;
    for (;;) {
      // The first rows may be ones that were passed over. Twice their number, so that what is read again stays in proportion to them.
      const versions = await this.metadata.wrappedBy(id, BATCH + 2 * passed.size, signal);
      if (this.isActive(id)) return;
      if (versions.length === 0) break;
      const todo = versions.filter(({ versionId }) => !passed.has(versionId));
      if (todo.length === 0) {
        this.logger.error(
          { key: id, versions: versions.length },
          'a key stays in the key ring: versions are left whose sealed key does not open',
        );
        return;
      }
      for await (const { versionId, done } of mapOrdered(todo, WIDTH, (version) => this.rewrap(version))) {
        if (done) count += 1;
        else passed.add(versionId);
      }
    }
    for await (const { fileId, kekId } of this.metadata.tombstones(signal)) if (kekId === id) await this.amends.reconcile(fileId);
    if (this.isActive(id)) return;
    this.keys.drop(id);
    this.logger.log({ key: id, versions: count }, 'a key was retired: nothing is sealed by it any more');
  }

  /** Not done if it is still wrapped as before, or gone. */
  private async rewrap({ fileId, versionId, seal }: Manifest): Promise<Rewrapped> {
    let wrapped: FileEdit['wrapped'];
    try {
      await this.amends.amend(
        fileId,
        (stored) => {
          if (stored.manifest.versionId !== versionId || stored.manifest.seal.kekId !== seal.kekId) return undefined;
          const { kekId, wrappedKey } = this.crypto.rewrap({ fileId, versionId }, stored.manifest.seal);
          wrapped = { kekId, wrappedKey };
          return { wrapped };
        },
        undefined,
        this.stopping.signal,
      );
    } catch (error) {
      const code = errorCode(error);
      if (code !== 'data-damaged' && code !== 'file-not-found') throw error;
      if (code === 'data-damaged')
        this.logger.error({ versionId }, 'the sealed key of a version does not open and is not wrapped anew');
    }
    return { versionId, done: wrapped !== undefined };
  }

  /** A key ring that was put in place by hand may make an old key the active one again. */
  private isActive(id: string): boolean {
    return this.keys.current().active === id;
  }
}
