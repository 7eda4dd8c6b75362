import { Injectable } from '@nestjs/common';
import { ClusterFile } from '../config/cluster-file.js';
import type { ClusterMapNode } from '../config/cluster-map.js';
import { LiveConfig } from '../config/live-config.js';
import { NodeRegistry } from '../nodes/node-registry.js';
import { StoreView } from '../nodes/store-view.js';
import type { Target } from './amiss.js';

/** Who belongs to the cluster and what is wanted of it, from the three who know a part of that; and where it is told how far things are. */
@Injectable()
export class Membership {
  constructor(
    readonly cluster: ClusterFile,
    readonly live: LiveConfig,
    readonly registry: NodeRegistry,
    readonly view: StoreView,
  ) {}

  /** How files are to lie, by what is known at the moment of each question. */
  get target(): Target {
    return {
      redundancy: this.live.redundancy,
      // The map alone: a node that is replaced is not in the registry for a moment.
      isLeaving: (node) => this.entry(node)?.state !== 'active',
      isRestoring: (node) => this.entry(node)?.lostBefore !== undefined,
    };
  }

  get draining(): readonly number[] {
    return this.cluster.members.filter((node) => this.entry(node)?.state === 'draining');
  }

  /** Nodes on new disks, and when those came: not all that was stored before is restored yet. */
  get losses(): ReadonlyMap<number, number> {
    const found = new Map<number, number>();
    for (const node of this.cluster.members) {
      const lostBefore = this.entry(node)?.lostBefore;
      if (lostBefore !== undefined) found.set(node, lostBefore);
    }
    return found;
  }

  /** Nodes that take files, or would if they could be reached. */
  get active(): readonly number[] {
    return this.cluster.members.filter((node) => this.entry(node)?.state === 'active');
  }

  entry(node: number): ClusterMapNode | undefined {
    return this.cluster.map.nodes[node - 1];
  }
}
