import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { NEVER } from '../../test/support/cluster.js';
import { eventually, Members } from '../../test/support/members.js';
import type { NodeSource } from '../nodes/node-source.js';
import { AlignmentService } from './alignment.service.js';
import { MembershipService } from './membership.service.js';

Logger.overrideLogger(false);

const SLICE = 16;

let members: Members;
let alignment: AlignmentService;
let service: MembershipService;

beforeEach(async () => {
  members = await Members.make({ nodes: 3, redundancy: 1, sliceBytes: SLICE, graceMs: 3_600_000 });
  const { mover, collector, membership } = members;
  alignment = new AlignmentService(mover, collector, membership);
  // Nothing here makes a node.
  service = new MembershipService(membership, alignment, collector, {} as NodeSource);
});

afterEach(async () => {
  await alignment.onApplicationShutdown();
  await members.remove();
});

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
