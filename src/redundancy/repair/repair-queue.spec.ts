import { describe, expect, it } from '@jest/globals';
import { newId, type VersionId } from '../../common/ids.js';
import type { Manifest } from '../../metadata/metadata-store.js';
import { itemOf, RepairBuckets, type RepairItem } from './repair-queue.js';
import { RepairProgress } from './repair-progress.js';

const NODES = [1, 2, 3, 4];
const isGone = (node: number): boolean => node === 4;

/** What there is to do for a file that has something on each of the nodes. */
function item(shape: { readonly k: number; readonly m: number }, writable: number): RepairItem {
  const usage = NODES.map((node) => ({ node, shards: 1, bytes: 10 }));
  const manifest = { ...shape, versionId: newId<VersionId>(), sliceBytes: 10, sealedSize: 30, usage, recordNodes: [1, 4] };
  return itemOf(manifest as unknown as Manifest, [], { isGone, writable })!;
}

describe('the queue of a repair', () => {
  it('has room for what can be placed, however much cannot', () => {
    const buckets = new RepairBuckets(3);
    const coded = Array.from({ length: 5 }, () => item({ k: 3, m: 1 }, 3));
    const copied = Array.from({ length: 3 }, () => item({ k: 1, m: 1 }, 3));
    for (const one of [...coded, ...copied]) buckets.add(one);
    const { items, isPartial, versions } = buckets.backlog();
    expect(items).toEqual([...copied, ...coded.slice(0, 3)]);
    expect({ isPartial, versions }).toEqual({ isPartial: true, versions: 8 });
  });

  it('takes what is coded for what can be placed where there is a node for it', () => {
    expect(item({ k: 3, m: 1 }, 4).isPlaceable).toBe(true);
    expect(item({ k: 3, m: 1 }, 3).isPlaceable).toBe(false);
  });
});

describe('what a repair says of itself', () => {
  it('has nothing left when what could not be restored has come back by itself', () => {
    const progress = new RepairProgress();
    const one = item({ k: 3, m: 1 }, 3);
    progress.begin({ items: [one], isPartial: false, versions: 1, bytes: 10 });
    progress.took(one, { shards: 0, bytes: 0, unplaced: 1, unread: 0, isDone: false });
    progress.end('there are too few nodes');
    expect(progress.status()).toMatchObject({ state: 'waiting', backlog: { versions: 1, bytes: 10 } });
    progress.settle();
    expect(progress.status()).toMatchObject({ state: 'idle', reason: undefined, backlog: { versions: 0, bytes: 0 } });
  });
});
