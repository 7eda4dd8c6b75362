import type { NodeRegistry } from '../../nodes/node-registry.js';

/**
 * Which nodes count as lost: those that are no part of the cluster any more, and those that are down for longer than one waits. Asked anew each
 * time, so that a node that is back stops what is not needed any more.
 */
export class AwayNodes {
  constructor(
    private readonly registry: NodeRegistry,
    private readonly afterMs: number,
    private readonly now: () => number = Date.now,
  ) {}

  isAway(node: number): boolean {
    return this.waitMs(node) === 0;
  }

  /** Nodes of the cluster that are lost. */
  all(): readonly number[] {
    return this.registry.nodes.map(({ number }) => number).filter((node) => this.isAway(node));
  }

  /** How long until a node counts as lost if nothing changes; undefined: it is not on the way to that. */
  waitMs(node: number): number | undefined {
    if (!this.registry.has(node)) return 0;
    const { state, since } = this.registry.status(node);
    return state === 'down' ? Math.max(0, since + this.afterMs - this.now()) : undefined;
  }
}
