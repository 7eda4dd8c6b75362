import { expect, it } from '@jest/globals';
import { newId, type VersionId } from '../../common/ids.js';
import type { Manifest } from '../../metadata/metadata-store.js';
import { Placement } from '../../placement/placement.js';
import { STRAYS_MAX } from '../write-ledger.js';
import { MoveStep } from './move-step.js';

it('does not remember without end what nodes that failed may hold', () => {
  const manifest = { versionId: newId<VersionId>(), k: 1, sliceBytes: 1, sealedSize: 1 } as Manifest;
  const placement = new Placement();
  const step = new MoveStep({ placement, manifest, candidates: () => [3, 4, 5, 6, 7, 8, 9, 10] });
  const stripes = STRAYS_MAX / 4;
  for (let stripe = 0; stripe < stripes; stripe += 1)
    step.begin([1, 2], { stripe, row: [undefined, 2], mends: [], leaves: [{ stripe, index: 0, node: 1 }] });
  for (let attempt = 0; attempt < 6; attempt += 1)
    for (const { writes } of step.moves) for (const write of writes) step.retarget(write);
  expect(step.undone()).toHaveLength(STRAYS_MAX);
  expect([...placement.all().values()].every((files) => files === 0)).toBe(true);
});
