import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { places } from '../../test/support/cluster-state.js';
import { NEVER } from '../../test/support/cluster.js';
import { eventually, Members } from '../../test/support/members.js';
import type { Manifest } from '../metadata/metadata-store.js';
import { MoveCommitter } from '../redundancy/repair/move-committer.js';
import { AlignmentService } from './alignment.service.js';
import { isNarrow } from './amiss.js';
import { SurvivalService } from './survival.service.js';

Logger.overrideLogger(false);

const SLICE = 16;

let members: Members;
let alignment: AlignmentService;
let survival: SurvivalService;
let laterMs: number;
let walks: number;

beforeEach(async () => {
  members = await Members.make({ nodes: 3, redundancy: 2, sliceBytes: SLICE, graceMs: 3_600_000 });
  const { mover, collector, membership } = members;
  alignment = new AlignmentService(mover, collector, membership);
  survival = new SurvivalService(collector, membership);
  [laterMs, walks] = [0, 0];
  const now = Date.now;
  jest.spyOn(Date, 'now').mockImplementation(() => now() + laterMs);
});

afterEach(async () => {
  await alignment.onApplicationShutdown();
  await survival.onApplicationShutdown();
  jest.restoreAllMocks();
  await members.remove();
});

/** Each of two files has three copies, but for those that a lower R, which did not come to its end, has dropped of the second one. */
async function makeNarrow(): Promise<Manifest> {
  const { cluster } = members;
  const made = [await cluster.store([new Uint8Array(SLICE)]), await cluster.store([new Uint8Array(SLICE)])];
  const [, narrow] = made.sort((a, b) => (a.fileId < b.fileId ? -1 : 1)) as [Manifest, Manifest];
  jest.spyOn(MoveCommitter.prototype, 'finish').mockResolvedValueOnce(false);
  await members.mover.mover.move(narrow.versionId, { m: 1, decide: () => 'keep' }, NEVER);
  expect(await places(cluster, narrow)).toHaveLength(2);
  return narrow;
}

/** Waits for the result of a look that begins after this call. */
async function lookedAfter(ms: number): Promise<number | undefined> {
  const { view } = members.membership;
  const from = Date.now() + ms;
  for (let turn = 0; (view.survival?.at ?? 0) < from; turn += 1) {
    if (turn > 100) throw new Error('it was not looked at again');
    // More than once: a look that was under way has put the next one off.
    laterMs += ms;
    await sleep(100);
  }
  return view.survival?.survives;
}

describe('a file of which the last stripe is not full', () => {
  it('has all shards that it is to have', async () => {
    const coded = await Members.make({ nodes: 5, redundancy: 2, data: 3, sliceBytes: SLICE, graceMs: 3_600_000 });
    for (const count of [0, 1, 2, 3, 4, 6, 7]) {
      const slices = Array.from({ length: count }, () => new Uint8Array(SLICE));
      const manifest = await coded.cluster.store(slices);
      expect([manifest.k, manifest.m, isNarrow(manifest)]).toEqual([3, 2, false]);
    }
    await coded.remove();
  });
});

describe('what the store survives', () => {
  it('is told of a file with fewer copies than its m says, and mended although its m is right', async () => {
    const { cluster, membership } = members;
    const narrow = await makeNarrow();
    const [first] = await places(cluster, narrow);
    cluster.registry.setState(first!.node, 'down', {});
    survival.onApplicationBootstrap();
    await eventually(() => membership.view.survival !== undefined);
    expect(membership.view.survival).toMatchObject({ survives: 0, fileId: narrow.fileId });
    cluster.registry.setState(first!.node, 'up', {});
    alignment.onApplicationBootstrap();
    await eventually(() => membership.cluster.map.redundancy === 2);
    expect(await places(cluster, narrow)).toHaveLength(3);
    await eventually(() => membership.view.survival?.survives === 2);
  });

  it('is not looked for again while nothing can have changed', async () => {
    const { cluster, membership } = members;
    const { metadata } = cluster;
    const manifest = await cluster.store([new Uint8Array(SLICE)]);
    const files = metadata.files.bind(metadata);
    jest.spyOn(metadata, 'files').mockImplementation((signal) => {
      walks += 1;
      return files(signal);
    });
    survival.onApplicationBootstrap();
    await eventually(() => membership.view.survival?.survives === 2);
    expect(walks).toBe(1);
    for (let look = 0; look < 3; look += 1) expect(await lookedAfter(31_000)).toBe(2);
    expect(walks).toBe(1);
    const [bad] = await places(cluster, manifest);
    const shard = { versionId: manifest.versionId, stripe: bad!.stripe, index: bad!.index };
    await metadata.noteDamage([{ node: bad!.node, shard }], 10, NEVER);
    expect(await lookedAfter(31_000)).toBe(1);
    cluster.registry.setState(bad!.node, 'down', {});
    walks = 3;
    expect(await lookedAfter(31_000)).toBe(1);
    expect(walks).toBeGreaterThan(3);
  });
});
