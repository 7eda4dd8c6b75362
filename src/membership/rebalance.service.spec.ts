import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { eventually, Members } from '../../test/support/members.js';
import { MoverService } from '../redundancy/repair/mover.service.js';
import { RebalanceService } from './rebalance.service.js';

Logger.overrideLogger(false);

const SLICE = 16;
const FILES = 12;

let members: Members;
const services: RebalanceService[] = [];

beforeEach(async () => {
  members = await Members.make({ nodes: 4, redundancy: 1, sliceBytes: SLICE, graceMs: 3_600_000 });
  const { cluster } = members;
  // Node 4 has nothing: it was down when all of it was stored.
  cluster.registry.setState(4, 'down', {});
  for (let at = 0; at < FILES; at += 1) await cluster.store([new Uint8Array(SLICE)]);
  cluster.registry.setState(4, 'up', {});
});

afterEach(async () => {
  for (const service of services.splice(0)) await service.onApplicationShutdown();
  await members.remove();
});

/** Of a run of the program. @param move what is done in the place of each move; absent: the move */
function start(move?: () => Promise<never>): RebalanceService {
  const { collector, membership } = members;
  const mover = move === undefined ? members.mover : ({ mover: { move } } as unknown as MoverService);
  const service = new RebalanceService(mover, collector, membership);
  services.push(service);
  service.onApplicationBootstrap();
  return service;
}

/** A rebalance that is cut short by the end of the process. */
async function cutShort(): Promise<number> {
  const moving = Promise.withResolvers<undefined>();
  const ended = Promise.withResolvers<never>();
  const before = start(() => {
    moving.resolve(undefined);
    return ended.promise;
  });
  before.start();
  await moving.promise;
  const stopped = before.onApplicationShutdown();
  ended.reject(new Error('the process ends'));
  await stopped;
  return before.status.startedAt!;
}

describe('RebalanceService', () => {
  it('notes in the map that it was asked for, until it has ended', async () => {
    const { cluster } = members.membership;
    const service = start();
    expect(service.status.state).toBe('never');
    service.start();
    expect(cluster.map.rebalancing).toBe(service.status.startedAt);
    await eventually(() => service.status.state === 'even');
    expect([service.status.moved, service.status.left, cluster.map.rebalancing]).toEqual([6, 0, undefined]);
  });

  it('goes on after a restart, as soon as all nodes are there', async () => {
    const { registry } = members.cluster;
    const since = await cutShort();
    expect(members.membership.cluster.map.rebalancing).toBe(since);
    registry.setState(2, 'suspect', {});
    const service = start();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(service.status).toMatchObject({ state: 'waiting', startedAt: since, moved: 0 });
    expect(service.status.left).toBeGreaterThan(0);
    registry.setState(2, 'up', {});
    await eventually(() => service.status.state === 'even');
    expect(service.status).toMatchObject({ moved: 6, startedAt: since });
    expect(members.membership.cluster.map.rebalancing).toBeUndefined();
  });

  it('goes on without a node that counts as lost by then, and at once when it is asked for again', async () => {
    const { registry } = members.cluster;
    await cutShort();
    registry.setState(2, 'down', {});
    members.setRepairAfter(0);
    const patient = start();
    await eventually(() => patient.status.state === 'even');

    registry.setState(2, 'up', {});
    await cutShort();
    registry.setState(2, 'down', {});
    members.setRepairAfter(60);
    const asked = start();
    expect(asked.status.state).toBe('waiting');
    asked.start();
    await eventually(() => asked.status.state === 'even');
  });
});
