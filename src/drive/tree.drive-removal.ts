import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import type { AccountId } from '../auth/account.js';
import type { FileId } from '../common/ids.js';
import { mapOrdered } from '../common/map-ordered.js';
import type { DocumentHead } from '../documents/document-store.js';
import type { NodeHead } from '../sdk/drive-record.js';
import { childrenOf } from './drive-keys.js';
import { DriveRemoval } from './drive-removal.js';
import { DriveStore } from './drive-store.js';
import { DriveTidier } from './drive-tidier.js';

/** Nodes of a folder that are removed at once. */
const WIDTH = 4;
/** A folder is listed again as long as something in it was changed while it was removed. */
const PASSES_MAX = 100;

/** What is to be removed, or only tidied up. */
interface Job {
  readonly account: AccountId;
  readonly nodeId: FileId;
  readonly isGone: boolean;
}

/**
 * Removes trees from the top down, one after the other: what is not removed yet always lies in a folder that is not there, and that is how the
 * sweep finds it after a crash.
 */
@Injectable()
export class TreeDriveRemoval extends DriveRemoval implements OnApplicationShutdown {
  private readonly logger = new Logger(TreeDriveRemoval.name);
  private readonly stopping = new AbortController();
  private readonly jobs: Job[] = [];
  private running: Promise<void> | undefined;

  constructor(
    private readonly store: DriveStore,
    private readonly tidier: DriveTidier,
  ) {
    super();
  }

  override enqueue(account: AccountId, { nodeId }: Pick<NodeHead, 'nodeId'>): void {
    this.add({ account, nodeId: nodeId as FileId, isGone: true });
  }

  override tidySoon(account: AccountId, nodeId: FileId): void {
    this.add({ account, nodeId, isGone: false });
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    await this.idle();
  }

  /** When all that was asked for is done, or left to the sweep. */
  async idle(): Promise<void> {
    await this.running;
  }

  /** Removes all that lay in a node, and what belonged to it. The node itself is gone. @returns how many nodes below it */
  async removeBelow(account: AccountId, nodeId: FileId, signal: AbortSignal): Promise<number> {
    let removed = 0;
    await this.tidier.clear({ account, nodeId }, signal);
    const folders = [nodeId];
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      const below = await this.empty(account, folder, signal);
      removed += below.nodes;
      folders.push(...below.folders);
    }
    return removed;
  }

  /** Removes one node in a folder that is gone, unless it was changed since. @returns whether it has anything in it; undefined if it stays */
  async removeNode(account: AccountId, { id, revision }: DocumentHead, signal: AbortSignal): Promise<boolean | undefined> {
    if (!(await this.store.removeIfThere(account, { id, expected: revision }, signal))) return undefined;
    await this.tidier.clear({ account, nodeId: id }, signal);
    const { heads } = await this.store.heads(account, { prefix: childrenOf(id), limit: 1 }, signal);
    return heads.length > 0;
  }

  private async empty(
    account: AccountId,
    folder: FileId,
    signal: AbortSignal,
  ): Promise<{ readonly nodes: number; readonly folders: readonly FileId[] }> {
    const folders: FileId[] = [];
    let nodes = 0;
    for (let pass = 0; pass < PASSES_MAX; pass += 1) {
      let changed = 0;
      const children = this.store.headsIn(account, childrenOf(folder), signal);
      const removals = mapOrdered(children, WIDTH, async (child) => ({
        id: child.id,
        hasChildren: await this.removeNode(account, child, signal),
      }));
      for await (const { id, hasChildren } of removals) {
        if (hasChildren === undefined) changed += 1;
        else nodes += 1;
        if (hasChildren === true) folders.push(id);
      }
      if (changed === 0) break;
    }
    return { nodes, folders };
  }

  private add(job: Job): void {
    if (this.stopping.signal.aborted) return; // the sweep of the next start finds it
    this.jobs.push(job);
    this.running ??= this.run();
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    for (let job = this.jobs.shift(); job !== undefined && !signal.aborted; job = this.jobs.shift()) await this.work(job, signal);
    this.running = undefined; // in one step with the last look: what is added from now on begins anew
  }

  private async work({ account, nodeId, isGone }: Job, signal: AbortSignal): Promise<void> {
    try {
      if (isGone) await this.removeBelow(account, nodeId, signal);
      else await this.tidier.tidy({ account, nodeId }, signal);
    } catch (error) {
      if (!signal.aborted) this.logger.warn({ err: error }, 'a removal in a drive is left to the sweep');
    }
  }
}
