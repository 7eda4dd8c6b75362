import { join } from 'node:path';
import { NodeError } from '../storage-node.js';
import type { FileCalls } from './file-calls.js';
import type { FolderLock } from './folder-lock.js';
import { verifyIdentity, type NodeIdentity } from './node-identity.js';
import type { CompactionLimits } from './pack-compactor.js';
import { PACKS_DIRECTORY } from './pack-names.js';
import { PackStore } from './pack-store.js';
import type { Slots } from './slots.js';

export interface HeldPacksOptions {
  readonly directory: string;
  readonly identity: NodeIdentity;
  readonly files: FileCalls;
  readonly packBelow: number;
  readonly limits: CompactionLimits;
  readonly slots: Slots;
  readonly lock: FolderLock;
  readonly isReadOnly: boolean;
}

/** What a node knows of its packs, as long as these are the ones that lie in its folder. */
export class HeldPacks {
  current: PackStore | undefined;
  /** The hold of the lock under which they were taken in: under another one they may be others. */
  private hold = 0;
  /** Until what was known of packs that are lost has ended, none are taken in anew. */
  private dropping: Promise<void> = Promise.resolve();

  constructor(private readonly options: HeldPacksOptions) {}

  /** Takes in the packs that are there, unless they are known. Calls must not overlap. */
  async load(): Promise<PackStore> {
    await this.dropping;
    if (this.current !== undefined) return this.current;
    const { directory, identity, files, packBelow, limits, slots, lock, isReadOnly } = this.options;
    await verifyIdentity(directory, identity);
    const folder = { packs: join(directory, PACKS_DIRECTORY), directory, identity, files };
    const mayWrite = lock.isHeld && !isReadOnly;
    const packs = await PackStore.load({ folder, packBelow, limits, slots, mayWrite, onLost: () => this.drop(packs) });
    this.current = packs;
    this.hold = lock.holds;
    return packs;
  }

  /** Forgets packs that were taken in without the lock, or under one on a file that is not there any more. */
  dropStale(): void {
    if (this.hold !== this.options.lock.holds) this.drop();
  }

  /** Forgets what is known of packs that are not there any more, may be others, or hold what is not known; the next call takes in those that are. */
  drop(packs = this.current, why = 'its folder has vanished or was replaced'): void {
    if (packs === undefined || this.current !== packs) return;
    this.current = undefined;
    const ended = packs.abandon(new NodeError('unavailable', why));
    this.dropping = Promise.all([this.dropping, ended]).then(() => undefined);
  }

  async close(reason: NodeError): Promise<void> {
    await this.current?.close(reason);
    await this.dropping;
  }
}
