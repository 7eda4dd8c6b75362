import { Injectable, Logger } from '@nestjs/common';
import { DomainError, type ErrorCode } from '../common/errors.js';
import { newId, type NodeId } from '../common/ids.js';
import type { MapChange } from '../config/cluster-file.js';
import type { ClusterMapNode } from '../config/cluster-map.js';
import { NodeSource } from '../nodes/node-source.js';
import { NodeError } from '../nodes/storage-node.js';
import { CollectorService } from '../redundancy/collector.service.js';
import { AlignmentService } from './alignment.service.js';
import { Membership } from './membership.js';

/** Nodes that leave, and disks that take the place of lost ones. What is decided here is durable in the cluster map before it is begun. */
@Injectable()
export class MembershipService {
  private readonly logger = new Logger(MembershipService.name);
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    readonly membership: Membership,
    private readonly alignment: AlignmentService,
    private readonly collector: CollectorService,
    private readonly source: NodeSource,
  ) {}

  /** Runs changes of the membership one after the other. */
  async inTurn<Result>(work: () => Promise<Result> | Result): Promise<Result> {
    const turn = this.last.then(work);
    this.last = turn.catch(() => undefined);
    return turn;
  }

  /**
   * Changes the map in a way that whoever takes over must not miss: it would look for files on too few nodes. So it takes effect when so many
   * nodes have it durably that a takeover, which asks all but as many as may be lost, asks one of them.
   * @returns the numbers of nodes that came
   * @throws DomainError `not-enough-nodes`; then nothing was changed
   */
  async agree(change: MapChange): Promise<readonly number[]> {
    const { cluster, live } = this.membership;
    const needed = (cluster.map.redundancy ?? live.redundancy) + 1;
    if (!cluster.propose(change)) return [];
    let keeping: readonly number[] = [];
    try {
      keeping = await this.source.tell(cluster);
    } catch (error) {
      cluster.settle(false);
      throw error;
    }
    const added = cluster.settle(keeping.length >= needed);
    if (keeping.length >= needed) return added;
    refuse(
      'not-enough-nodes',
      `${needed} nodes must know of the change before it counts, or a takeover could miss files, and ${keeping.length} can be told now`,
    );
  }

  /** Begins to empty a node. @throws DomainError `node-not-found`, `drain-refused` */
  drain(number: number, signal: AbortSignal): Promise<void> {
    return this.inTurn(async () => {
      if (this.entry(number).state === 'draining') return;
      this.requireOthers(number, 'drain-refused');
      await this.requireRoom(number, signal);
      this.setDraining(number, true);
    });
  }

  /** What was moved stays where it is by now. @throws DomainError `node-not-found` */
  cancelDrain(number: number): Promise<void> {
    return this.inTurn(() => {
      if (this.entry(number).state === 'draining') this.setDraining(number, false);
    });
  }

  /** Ends the membership of a node that has nothing left, for ever. @throws DomainError `node-not-found`, `removal-refused` */
  remove(number: number, signal: AbortSignal): Promise<void> {
    return this.inTurn(async () => {
      const { registry, cluster, view } = this.membership;
      const isDown = registry.status(this.requireMember(number)).state === 'down';
      this.requireNotGateway(number);
      if (this.entry(number).state !== 'draining') {
        if (!isDown) refuse('removal-refused', `node ${number} takes files: drain it first`);
        this.requireOthers(number, 'removal-refused');
      }
      try {
        await this.requireUnused(number, signal);
      } catch (error) {
        // Where too few others could be reached, a record may have come to a node that had nothing left.
        if (this.entry(number).state === 'draining') this.alignment.changed();
        throw error;
      }
      cluster.changeNode(number, (node) => ({ ...node, state: 'removed' }));
      view.drains.delete(number);
      await registry.retire(number);
      this.logger.log({ node: number }, 'a node was removed');
      this.alignment.changed();
    });
  }

  /**
   * Puts an empty disk in the place of one that is lost. What the index has on the node is restored to it.
   * @throws DomainError `node-not-found`, `replace-refused`
   */
  replace(number: number): Promise<void> {
    return this.inTurn(async () => {
      const { registry, cluster, live } = this.membership;
      const before = this.entry(number);
      if (before.state !== 'active') refuse('replace-refused', `node ${number} is to be emptied: cancel that first`);
      const { state } = registry.status(number);
      if (state !== 'down') refuse('replace-refused', `node ${number} is ${state}: only a node that is down can be replaced`);
      // Nobody has read anything of the new one; and the old one, should it stay after all, is only proven once more.
      await this.collector.metadata.noteProven(number, undefined, AbortSignal.timeout(live.current.limits.node_call_ms_max));
      await registry.detach(number);
      // In this order a crash in between is harmless: a node that is not ready is made at the next start.
      const fresh = { nodeId: newId<NodeId>(), ready: false, lostBefore: Date.now() };
      cluster.changeNode(number, (node) => ({ ...node, ...fresh }));
      registry.losses.set(number, fresh.lostBefore);
      await this.makeAgain(number, before);
      this.logger.warn({ node: number }, 'a node has a new disk, and what the old one had is restored');
      this.alignment.changed();
    });
  }

  /**
   * Opens a node that is new to this process, and lets others use it; an error says why it is down, or not there at all because another process
   * holds it.
   */
  async admit(number: number): Promise<NodeError | undefined> {
    const { registry, cluster, live } = this.membership;
    const opened = await this.source.openOne(number, cluster, live.current).catch(asHeld);
    if (opened instanceof NodeError) return opened;
    const { node, exists, error } = opened;
    registry.add(node);
    if (exists) cluster.markReady([number]);
    return error;
  }

  private async makeAgain(number: number, before: ClusterMapNode): Promise<void> {
    const { registry, cluster } = this.membership;
    const error = await this.admit(number);
    if (error === undefined) return;
    await registry.detach(number);
    cluster.changeNode(number, () => before);
    if (before.lostBefore === undefined) registry.losses.delete(number);
    else registry.losses.set(number, before.lostBefore);
    await this.admit(number);
    // Known already, so that it can be tried again at once.
    if (registry.has(number)) registry.setState(number, 'down', { error });
    refuse('replace-refused', `node ${number} cannot be made: ${error.message}`, error);
  }

  private setDraining(number: number, isDraining: boolean): void {
    const { registry, cluster } = this.membership;
    cluster.changeNode(number, (node) => ({ ...node, state: isDraining ? 'draining' : 'active' }));
    registry.setDraining(number, isDraining);
    this.logger.log({ node: number }, isDraining ? 'a node is to be emptied' : 'a node is not to be emptied any more');
    this.alignment.changed();
  }

  /** By the index first, and then by the node itself, if that can be asked. */
  private async requireUnused(number: number, signal: AbortSignal): Promise<void> {
    const usage = await this.collector.metadata.usage(signal);
    const shards = usage.find(({ node }) => node === number)?.shards ?? 0;
    if (shards > 0) refuse('removal-refused', `${shards} shards of files are still said to lie on node ${number}`);
    const isLeaving = (node: number): boolean => node === number;
    const { records } = await this.alignment.census(signal, { isLeaving });
    const left = records.get(number) ?? 0;
    if (left > 0) refuse('removal-refused', `${left} records of files are still said to lie on node ${number}`);
    if (!this.membership.registry.reachable().includes(number)) return;
    const kept = await this.collector.clear(number, signal);
    if (kept > 0)
      refuse('removal-refused', `${kept} shards and records are still on node ${number}, of uploads that are under way`);
  }

  /** Each file lies on one node more than may be lost, so as many have to stay. */
  private requireOthers(number: number, code: ErrorCode): void {
    const { active, live } = this.membership;
    const others = active.filter((node) => node !== number).length;
    if (others <= live.redundancy)
      refuse(code, `each file lies on ${live.redundancy + 1} nodes, and without node ${number} there are ${others}`);
  }

  /** It may be emptied like any other. But who speaks for the cluster has to be one of its members, or its own node would not know of a fence. */
  private requireNotGateway(number: number): void {
    const { live, cluster } = this.membership;
    if (live.current.peers.length > 0 && cluster.map.gateway === number)
      refuse('removal-refused', `node ${number} belongs to the process that holds the index: let another one take over first`);
  }

  /** A coded file may lie on more nodes than one more than may be lost, and all its shards on different ones. */
  private async requireRoom(number: number, signal: AbortSignal): Promise<void> {
    const others = this.membership.active.filter((node) => node !== number).length;
    const { widest } = await this.alignment.census(signal);
    if (widest > others)
      refuse('drain-refused', `there are files that lie on ${widest} nodes, and without node ${number} there are ${others}`);
  }

  private requireMember(number: number): number {
    const { cluster } = this.membership;
    if (!cluster.members.includes(number)) throw new DomainError('node-not-found', `the nodes are ${cluster.members.join(', ')}`);
    return number;
  }

  private entry(number: number): ClusterMapNode {
    return this.membership.cluster.node(this.requireMember(number));
  }
}

/** What keeps a process from starting keeps only the node away when it runs. */
function asHeld(cause: unknown): NodeError {
  if (cause instanceof DomainError) return new NodeError('unavailable', cause.detail, { cause });
  throw cause;
}

function refuse(code: ErrorCode, detail: string, cause?: unknown): never {
  throw new DomainError(code, detail, cause === undefined ? undefined : { cause });
}
