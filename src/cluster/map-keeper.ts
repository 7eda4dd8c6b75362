import { Logger } from '@nestjs/common';
import type { NodeId } from '../common/ids.js';
import type { ClusterFile } from '../config/cluster-file.js';
import { compareMaps } from '../config/cluster-map.js';
import type { ClusterView } from '../nodes/cluster-view.js';
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
 * The gateway's care for the map: each peer is asked once in a while which one it has, and gets the present one; nodes that never were are
 * made, and a peer that knows of a later term is heard. Nothing is made where something was: a node that is empty now has lost what it had.
 */
export class MapKeeper {
  private readonly logger = new Logger(MapKeeper.name);
  private readonly stopping = new AbortController();
  private readonly underWay = new Map<number, Promise<void>>();
  private readonly made = new Set<NodeId>();
  private isStarted = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly parts: MapKeeperParts) {}

  /** Makes and introduces every node that can be reached, once. */
  async round(): Promise<void> {
    await Promise.all(
      [...this.parts.member.clients.keys()]
        .filter((number) => number <= this.parts.file.map.nodes.length)
        .map((number) => this.visit(number)),
    );
  }

  /** From here on index and key ring exist, so that nodes may count as ready, and what changes is told to all. */
  start(): void {
    this.isStarted = true;
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
    const known = member.local.map;
    if (known !== undefined && compareMaps(known, file.told) === 0) return;
    try {
      await member.local.takeMap(file.told, this.stopping.signal);
    } catch (error) {
      if (!this.stopping.signal.aborted) this.disagree(member.number, String(error));
    }
  }

  private visit(number: number): Promise<void> {
    const running = this.underWay.get(number);
    if (running !== undefined) return running;
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
    const { nodeId, ready, state } = file.node(number);
    const exists = hello.nodeId !== undefined;
    if (client === undefined || (!exists && (ready || state === 'removed'))) return;
    if (!exists) await client.create({ clusterId: file.clusterId, nodeId, number }, signal);
    const { told } = file;
    if (hello.map === undefined || compareMaps(hello.map, told) !== 0) await client.giveMap(told, signal);
    if (ready) return;
    this.made.add(nodeId);
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
    if (!this.isStarted || this.stopping.signal.aborted) return;
    const { file } = this.parts;
    // By id: a node of which the disk was replaced meanwhile is not the one that was made.
    file.markReady(file.members.filter((number) => this.made.has(file.node(number).nodeId)));
  }
}
