import { Logger } from '@nestjs/common';
import type { ClusterFile } from '../config/cluster-file.js';
import type { ClusterMap } from '../config/cluster-map.js';
import type { ClusterView } from '../nodes/cluster-view.js';
import type { NodeRegistry } from '../nodes/node-registry.js';
import type { PeerHello } from '../nodes/peer/peer-hello.js';
import { NodeError } from '../nodes/storage-node.js';
import type { ClusterMember } from './cluster-member.js';
import { disagreementOf } from './disagreement.js';

export interface MapKeeperParts {
  readonly member: ClusterMember;
  readonly file: ClusterFile;
  readonly view: ClusterView;
}

/**
 * The gateway's care for the map: each node gets a copy at each change and when it comes back, nodes that never were are made, and a peer
 * that knows of a later term is heard. Nothing is made where something was: a node that is empty now has lost what it had.
 */
export class MapKeeper {
  private readonly logger = new Logger(MapKeeper.name);
  private readonly stopping = new AbortController();
  /** The map that each node has, as far as this process knows. */
  private readonly given = new Map<number, ClusterMap>();
  private readonly underWay = new Map<number, Promise<void>>();
  private readonly made = new Set<number>();
  private registry: NodeRegistry | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly parts: MapKeeperParts) {}

  /** Makes and introduces every node that can be reached, once. */
  async round(): Promise<void> {
    await Promise.all([...this.parts.member.clients.keys()].map((number) => this.visit(number)));
  }

  /** From here on index and key ring exist, so that nodes may count as ready, and what changes is told to all. */
  start(registry: NodeRegistry): void {
    this.registry = registry;
    this.parts.file.onChange(() => this.begin());
    this.timer = setInterval(() => this.begin(), this.parts.member.config.limits.probe_interval_ms);
    this.noteMade();
    this.begin();
  }

  /** Safe to call twice. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.parts.file.onChange(() => undefined);
    this.stopping.abort();
    await Promise.all(this.underWay.values());
  }

  private begin(): void {
    void this.giveOwn();
    void this.round();
  }

  private async giveOwn(): Promise<void> {
    const { member, file } = this.parts;
    const { map } = file;
    if (this.given.get(member.number) === map) return;
    this.given.set(member.number, map);
    try {
      await member.local.takeMap(map, this.stopping.signal);
    } catch (error) {
      this.given.delete(member.number);
      if (!this.stopping.signal.aborted) this.disagree(member.number, String(error));
    }
  }

  private visit(number: number): Promise<void> {
    const running = this.underWay.get(number);
    if (running !== undefined) return running;
    // A node that was away may have come back with another disk, another configuration, or an older map.
    const state = this.registry?.status(number).state;
    if (state === 'down' || state === 'suspect') this.given.delete(number);
    if (this.given.get(number) === this.parts.file.map) return Promise.resolve();
    const visit = this.introduce(number).finally(() => this.underWay.delete(number));
    this.underWay.set(number, visit);
    return visit;
  }

  private async introduce(number: number): Promise<void> {
    const { signal } = this.stopping;
    try {
      const hello = await this.parts.member.hear(number, signal);
      if (this.isOurs(number, hello)) await this.makeOrGive(number, hello, signal);
    } catch (error) {
      if (signal.aborted) return;
      // That it is down is said by the prober.
      if (!(error instanceof NodeError)) this.logger.debug({ node: number, err: error }, 'a peer was not introduced');
      else if (error.kind !== 'unavailable') this.disagree(number, error.message);
    }
  }

  private async makeOrGive(number: number, hello: PeerHello, signal: AbortSignal): Promise<void> {
    const { member, file } = this.parts;
    // A later term ends this gateway; whoever listens to the member sees to it.
    if (member.map !== undefined && member.map.term > file.map.term) return;
    const client = member.clients.get(number);
    const { nodeId, ready } = file.node(number);
    const exists = hello.nodeId !== undefined;
    if (client === undefined || (ready && !exists)) return;
    if (!exists) await client.create({ clusterId: file.clusterId, nodeId, number }, signal);
    const { map } = file;
    await client.giveMap(map, signal);
    this.given.set(number, map);
    if (ready) return;
    this.made.add(number);
    this.noteMade();
  }

  private isOurs(number: number, hello: PeerHello): boolean {
    const { file, member, view } = this.parts;
    const found = disagreementOf({ number, hello, map: file.map, config: member.config });
    if (found === undefined) {
      if (view.disagreements.delete(number)) this.logger.log({ node: number }, 'a peer agrees again');
      return true;
    }
    this.disagree(number, found.reason);
    return !found.isStranger;
  }

  private disagree(number: number, reason: string): void {
    const { disagreements } = this.parts.view;
    if (disagreements.get(number) === reason) return;
    disagreements.set(number, reason);
    this.logger.error({ node: number, reason }, 'a peer disagrees, and is not followed');
  }

  private noteMade(): void {
    if (this.registry === undefined || this.stopping.signal.aborted) return;
    this.parts.file.markReady([...this.made]);
  }
}
