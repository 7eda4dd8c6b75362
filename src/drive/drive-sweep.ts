import { Injectable } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AccountId } from '../auth/account.js';
import type { FileId } from '../common/ids.js';
import type { DocumentHead } from '../documents/document-store.js';
import { DriveAges } from './drive-ages.js';
import { nodeOfKey, readPartKey, readRevisionKey, revisionsOf } from './drive-keys.js';
import { DriveStore } from './drive-store.js';
import { DriveTidier } from './drive-tidier.js';
import { TreeDriveRemoval } from './tree.drive-removal.js';

/** After so many steps of the walk others come first for a while. */
const STRIDE = 100;
const PAUSE_MS = 20;

/** What a walk did. */
export interface SweepCounts {
  /** Nodes that lay in a folder that is not there. */
  orphans: number;
  /** Other things that nobody needed. */
  removed: number;
  /** Things at which it failed, and which are left to the next walk. */
  failed: number;
}

/** One walk. */
interface Walk {
  readonly account: AccountId;
  readonly counts: SweepCounts;
  readonly onFailure: (error: unknown) => void;
  readonly signal: AbortSignal;
}

/**
 * Finds what a crash, a removal or an upload has left in a drive, by the names that the index has, and removes it if nobody can need it. What it
 * cannot read it leaves as it is and goes on.
 */
@Injectable()
export class DriveSweep {
  constructor(
    private readonly store: DriveStore,
    private readonly tidier: DriveTidier,
    private readonly removal: TreeDriveRemoval,
    private readonly ages: DriveAges,
  ) {}

  /** @param onFailure is told why something was left */
  async sweep(account: AccountId, onFailure: (error: unknown) => void, signal: AbortSignal): Promise<SweepCounts> {
    const counts: SweepCounts = { orphans: 0, removed: 0, failed: 0 };
    const walk = { account, counts, onFailure, signal };
    await this.orphans(walk);
    await this.each(walk, 'r/', (group) => this.revisions(walk, group));
    await this.each(walk, 'p/', (group) => this.parts(walk, group));
    await this.each(walk, 'u/', ([first]) => this.tidy(walk, nodeOfKey(first.key)));
    for (const prefix of ['s/', 'l/']) await this.each(walk, prefix, (group) => this.sharing(walk, group));
    return counts;
  }

  /** Nodes whose folder is gone: the removal of it was cut short. */
  private async orphans(walk: Walk): Promise<void> {
    const { account, counts, signal } = walk;
    await this.each(walk, 'n/', async (group) => {
      const folder = nodeOfKey(group[0].key);
      if (folder === account || (await this.store.has(account, folder, signal))) return;
      for (const node of group) {
        if (!this.ages.isOld(node)) continue;
        const hasChildren = await this.removal.removeNode(account, node, signal);
        if (hasChildren === undefined) continue;
        counts.orphans += 1;
        if (hasChildren) counts.orphans += await this.removal.removeBelow(account, node.id, signal);
      }
    });
  }

  /** Most files have one revision, the first: there is nothing to do for them, and so nothing is read. */
  private async revisions(walk: Walk, group: Group): Promise<void> {
    const node = nodeOfKey(group[0].key);
    const { revision, isMoved } = readRevisionKey(group[0].key);
    const isPlain = group.length === 1 && revision === 1 && !isMoved;
    if (isPlain && (await this.store.has(walk.account, node, walk.signal))) return;
    await this.tidy(walk, node);
  }

  /** Parts of a revision or of an upload are looked at with those. */
  private async parts(walk: Walk, group: Group): Promise<void> {
    const { account, signal } = walk;
    const node = nodeOfKey(group[0].key);
    const revisions = this.store.headsIn(account, revisionsOf(node), signal);
    const known = new Set((await Array.fromAsync(revisions)).map(({ key }) => readRevisionKey(key).revisionId));
    for (const id of new Set(group.map(({ key }) => readPartKey(key).revisionId))) {
      if (known.has(id) || (await this.store.has(account, id, signal))) continue;
      await this.tidy(walk, node);
      return;
    }
  }

  private async sharing({ account, counts, signal }: Walk, group: Group): Promise<void> {
    if (await this.store.has(account, nodeOfKey(group[0].key), signal)) return;
    for (const thing of group)
      if (this.ages.isOld(thing) && (await this.store.removeIfThere(account, { id: thing.id }, signal))) counts.removed += 1;
  }

  private async tidy({ account, counts, signal }: Walk, nodeId: FileId): Promise<void> {
    counts.removed += await this.tidier.tidy({ account, nodeId }, signal);
  }

  /** Calls with all things that belong to one node, one node after the other. */
  private async each(walk: Walk, prefix: string, look: (group: Group) => Promise<void>): Promise<void> {
    let steps = 0;
    for await (const group of groups(this.store.headsIn(walk.account, prefix, walk.signal))) {
      try {
        await look(group);
      } catch (error) {
        walk.signal.throwIfAborted();
        walk.counts.failed += 1;
        walk.onFailure(error);
      }
      steps += 1;
      if (steps % STRIDE === 0) await sleep(PAUSE_MS, undefined, { signal: walk.signal });
    }
  }
}

/** Things of one node, in the order of their names. */
type Group = readonly [DocumentHead, ...DocumentHead[]];

/** A node with very many things comes in several groups. */
const GROUP_MAX = 20_000;

async function* groups(heads: AsyncIterable<DocumentHead>): AsyncGenerator<Group, void, undefined> {
  let group: [DocumentHead, ...DocumentHead[]] | undefined;
  for await (const head of heads) {
    const isSame = group !== undefined && nodeOfKey(group[0].key) === nodeOfKey(head.key) && group.length < GROUP_MAX;
    if (isSame) {
      group?.push(head);
      continue;
    }
    if (group !== undefined) yield group;
    group = [head];
  }
  if (group !== undefined) yield group;
}
