import { Logger } from '@nestjs/common';
import { NodeError } from '../nodes/storage-node.js';
import type { CollectorService } from '../redundancy/collector.service.js';
import type { Census } from './census.js';
import type { Membership } from './membership.js';
import type { StuckList } from './stuck-list.js';

/** Tells of each node that drains how far it is, and sees to it that at the end nothing at all is left on it. */
export class DrainWatch {
  private readonly logger = new Logger('Drain');

  constructor(
    private readonly membership: Membership,
    private readonly collector: CollectorService,
  ) {}

  /** While files are moved. */
  note(census: Census, etaSeconds: number | undefined, stuck: StuckList): void {
    const { draining, view } = this.membership;
    for (const node of view.drains.keys()) if (!draining.includes(node)) view.drains.delete(node);
    for (const node of draining) {
      const isDone = isUnused(node, census) && view.drains.get(node)?.isDone === true;
      const records = census.records.get(node) ?? 0;
      view.drains.set(node, { records, etaSeconds: isDone ? 0 : etaSeconds, isDone, stuck: stuck.on(node) });
    }
  }

  /** When no file is to be moved any more; false if something is left on one of the nodes all the same. */
  async finish(census: Census, signal: AbortSignal): Promise<boolean> {
    let areEmpty = true;
    for (const node of this.membership.draining) {
      const isEmpty = isUnused(node, census) && (await this.clear(node, signal));
      areEmpty &&= isEmpty;
      if (!isEmpty) continue;
      const before = this.membership.view.drains.get(node);
      this.membership.view.drains.set(node, { records: 0, etaSeconds: 0, isDone: true, stuck: undefined });
      if (before?.isDone !== true) this.logger.log({ node }, 'a node is drained: nothing is left on it');
    }
    return areEmpty;
  }

  /** From a node that cannot be reached nothing more can be deleted, and nothing on it is needed. */
  private async clear(node: number, signal: AbortSignal): Promise<boolean> {
    if (!this.membership.registry.reachable().includes(node)) return true;
    try {
      return (await this.collector.clear(node, signal)) === 0;
    } catch (error) {
      if (error instanceof NodeError) return false;
      throw error;
    }
  }
}

function isUnused(node: number, { records, shards }: Census): boolean {
  return !records.has(node) && !shards.has(node);
}
