import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { NodeMembership } from '../config/cluster-map.js';
import type { PeerHello } from '../nodes/peer/peer-hello.js';
import { AutoTakeover } from './auto-takeover.js';
import type { ClusterMember } from './cluster-member.js';

/** Milliseconds between two looks; a turn is five times as long. */
const LOOK_MS = 10;
const AFTER_MS = 3000;
const TURN_MS = 5 * LOOK_MS;

/** Without a map it is of a node with a new disk. */
type Answer = Partial<Pick<PeerHello, 'hears'>> & { readonly term?: number | null };

/** Node 3 of four, of which node 1 is the gateway. */
class World {
  silentMs = AFTER_MS + TURN_MS + 1;
  driver = 'postgres';
  after: number | null = AFTER_MS / 1000;
  map = {
    term: 7,
    gateway: 1,
    nodes: Array.from({ length: 4 }, (): { state: NodeMembership } => ({ state: 'active' })),
  };
  answers: readonly Answer[] = [{ hears: null }, { hears: null }];
  /** What is learned while the others are asked. */
  learned: number | undefined;
  asked = 0;
  taken = 0;
  failure: Error | undefined;
  private readonly auto: AutoTakeover;

  constructor(number = 3) {
    const limits = { probe_interval_ms: LOOK_MS, probe_ms_max: LOOK_MS };
    const at = (): unknown => ({ metadata: { driver: this.driver }, takeover_after: this.after, limits });
    const member = {
      number,
      hearAll: () => {
        this.asked += 1;
        if (this.learned !== undefined) {
          this.map = { ...this.map, term: this.learned };
          this.silentMs = 0; // that one was not asked yet
        }
        const hellos = this.answers.map(({ hears, term = 7 }, at) => ({
          hears,
          ...(term === null ? {} : { map: { term } }),
          number: at === 0 ? 2 : at + 3,
        }));
        return Promise.resolve(new Map(hellos.map((hello) => [hello.number, hello])));
      },
    };
    Object.defineProperty(member, 'config', { get: at });
    Object.defineProperty(member, 'map', { get: () => this.map });
    this.auto = new AutoTakeover({
      member: member as unknown as ClusterMember,
      silentMs: () => this.silentMs,
      takeOver: () => {
        this.taken += 1;
        if (this.failure !== undefined) return Promise.reject(this.failure);
        this.silentMs = 0;
        return Promise.resolve();
      },
    });
  }

  async run(looks = 8): Promise<this> {
    this.auto.start();
    await sleep(looks * LOOK_MS);
    await this.auto.stop();
    return this;
  }
}

describe('a peer with the index in a database', () => {
  beforeEach(() => {
    Logger.overrideLogger(false);
  });
  afterEach(() => {
    Logger.overrideLogger(true);
  });

  it('takes over, once, when the gateway was silent for so long that it is its turn', async () => {
    const world = new World();
    world.silentMs = AFTER_MS + TURN_MS - 5;
    expect((await world.run()).asked).toBe(0);
    expect((await new World().run()).taken).toBe(1);
    const second = new World(2);
    second.silentMs = AFTER_MS + 1;
    expect((await second.run()).taken).toBe(1);
  });

  it('leaves it to a person if less than half of the cluster answers', async () => {
    const world = new World();
    world.map.nodes.push({ state: 'active' }, { state: 'removed' });
    expect((await world.run()).taken).toBe(1); // three of five
    const few = new World();
    few.map.nodes.push({ state: 'active' });
    few.answers = [{ hears: null }];
    expect((await few.run()).taken).toBe(0);
  });

  it('does not while anybody else hears it, also without a map, or may, being of an older program', async () => {
    for (const heard of [{ hears: 1 }, { hears: 1, term: null }, {}]) {
      const world = new World();
      world.answers = [{ hears: null }, heard];
      expect((await world.run()).taken).toBe(0);
      expect(world.asked).toBeGreaterThan(1);
    }
  });

  it('does although one hears the gateway of an earlier term, and does not if a later one has begun', async () => {
    const world = new World();
    world.answers = [{ hears: 4, term: 6 }];
    expect((await world.run()).taken).toBe(1);
    const late = new World();
    late.learned = 8;
    late.silentMs = AFTER_MS + TURN_MS + 1;
    expect((await late.run(2)).taken).toBe(0);
  });

  it('goes on with a takeover of its own that was cut off', async () => {
    const world = new World(1);
    world.silentMs = AFTER_MS + 1;
    expect((await world.run()).taken).toBe(1);
  });

  it('never does with an index that goes with the gateway, if a person is to do it, or as a node that was removed', async () => {
    const worlds = [new World(), new World(), new World()] as const;
    worlds[0].driver = 'embedded';
    worlds[1].after = null;
    worlds[2].map.nodes[2] = { state: 'removed' };
    for (const world of worlds) expect((await world.run()).asked).toBe(0);
  });

  it('tries again after a pause if it failed', async () => {
    const world = new World();
    world.failure = new Error('too few nodes');
    expect((await world.run(10)).taken).toBe(1);
  });
});
