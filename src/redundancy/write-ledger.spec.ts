import { expect, it } from '@jest/globals';
import { newId, type VersionId } from '../common/ids.js';
import type { Shard } from '../nodes/storage-node.js';
import { STRAYS_MAX, WriteLedger } from './write-ledger.js';

it('does not remember without end what nodes that failed may hold', () => {
  const ledger = new WriteLedger();
  const row = [1, 2];
  const shard: Shard = { versionId: newId<VersionId>(), stripe: 0, index: 0, k: 1, m: 1, bytes: new Uint8Array(1), checksum: 0 };
  ledger.placed(row, [shard]);
  for (let to = 3; to < STRAYS_MAX + 5; to += 1) ledger.moved(row, shard, to);
  expect(ledger.strays).toHaveLength(STRAYS_MAX);
  expect(ledger.usage()).toEqual([{ node: STRAYS_MAX + 4, shards: 1, bytes: 1 }]);
});
