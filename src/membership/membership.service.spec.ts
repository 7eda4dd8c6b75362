import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { NEVER } from '../../test/support/cluster.js';
import { eventually, Members } from '../../test/support/members.js';
import { DomainError } from '../common/errors.js';
import type { NodeSource } from '../nodes/node-source.js';
import { NodeError } from '../nodes/storage-node.js';
import { AlignmentService } from './alignment.service.js';
import { MembershipService } from './membership.service.js';

Logger.overrideLogger(false);

const SLICE = 16;

let members: Members;
let alignment: AlignmentService;
let service: MembershipService;

async function begin(graceMs: number): Promise<void> {
  members = await Members.make({ nodes: 3, redundancy: 1, sliceBytes: SLICE, graceMs });
  const { mover, collector, membership } = members;
  alignment = new AlignmentService(mover, collector, membership);
  // Nothing here makes a node.
  service = new MembershipService(membership, alignment, collector, {} as NodeSource);
}

async function end(): Promise<void> {
  await alignment.onApplicationShutdown();
  await members.remove();
}

beforeEach(() => begin(3_600_000));

afterEach(end);

describe('a node that drains', () => {
  it('is emptied again of what came to it when too few others could be reached, and may go then', async () => {
    const { cluster, membership } = members;
    const { fileId } = await cluster.store([new Uint8Array(SLICE)]);
    alignment.onApplicationBootstrap();
    await service.drain(3, NEVER);
    await eventually(() => membership.view.drains.get(3)?.isDone === true);
    cluster.registry.setState(2, 'down', {});
    await cluster.rename(fileId, 'another name');
    cluster.registry.setState(2, 'up', {});
    await expect(service.remove(3, NEVER)).rejects.toMatchObject({ code: 'removal-refused' });
    await eventually(() =>
      service.remove(3, NEVER).then(
        () => true,
        () => false,
      ),
    );
    expect(membership.cluster.node(3).state).toBe('removed');
  });
});

describe('a node with a new disk', () => {
  it('is not taken for one of which everything was read, also if the disk cannot be used', async () => {
    const { cluster } = members;
    const { metadata } = cluster;
    for (const node of [2, 3]) await metadata.noteProven(node, 1_700_000_000_000, NEVER);
    cluster.registry.setState(3, 'down', {});
    const openOne = () => Promise.reject(new DomainError('storage-locked', 'another process has it'));
    const source: Partial<NodeSource> = { openOne };
    const replacing = new MembershipService(members.membership, alignment, members.collector, source as NodeSource);
    await expect(replacing.replace(3)).rejects.toMatchObject({ code: 'replace-refused' });
    expect([await metadata.provenAt(2, NEVER), await metadata.provenAt(3, NEVER)]).toEqual([1_700_000_000_000, undefined]);
  });
});

describe('a node whose disk hangs', () => {
  it('is replaced, and until then no tombstone is dropped under which it may have something', async () => {
    await end();
    await begin(0);
    const { cluster } = members;
    const { fileId } = await cluster.store([new Uint8Array(SLICE)]);
    const hanging = cluster.faulty[2]!;
    hanging.close = () => Promise.reject(new NodeError('unavailable', 'it took too long'));
    cluster.registry.setState(3, 'down', {});
    const opening = Promise.withResolvers<undefined>();
    const openOne = async () => {
      await opening.promise;
      return { node: hanging, exists: true };
    };
    const replacing = new MembershipService(members.membership, alignment, members.collector, {
      openOne,
    } as unknown as NodeSource);
    const replaced = replacing.replace(3);
    await cluster.delete(fileId);
    await cluster.collector.sweep(NEVER);
    await cluster.collector.sweep(NEVER);
    expect(await Array.fromAsync(cluster.metadata.tombstones(NEVER))).toHaveLength(1);
    opening.resolve(undefined);
    await replaced;
    expect(cluster.registry.has(3)).toBe(true);
  });
});

describe('a change of the map that a takeover must not miss', () => {
  it('takes effect when so many nodes have it that one of them is always asked', async () => {
    const { membership, collector } = members;
    const { cluster } = membership;
    cluster.noteRedundancy(1);
    let keeping: readonly number[] = [1];
    const told: number[] = [];
    const source: Partial<NodeSource> = {
      tell: (file) => {
        told.push(file.told.nodes.length);
        return Promise.resolve(keeping);
      },
    };
    const agreeing = new MembershipService(membership, alignment, collector, source as NodeSource);
    await expect(agreeing.agree({ nodeCount: 4, redundancy: 0 })).rejects.toMatchObject({ code: 'not-enough-nodes' });
    expect([cluster.map.redundancy, cluster.members, cluster.told]).toEqual([1, [1, 2, 3], cluster.map]);
    keeping = [1, 3];
    expect(await agreeing.agree({ nodeCount: 4, redundancy: 0 })).toEqual([4]);
    expect([cluster.map.redundancy, cluster.members]).toEqual([0, [1, 2, 3, 4]]);
    expect(await agreeing.agree({ nodeCount: 4 })).toEqual([]);
    expect(told).toEqual([4, 4]);
  });
});
