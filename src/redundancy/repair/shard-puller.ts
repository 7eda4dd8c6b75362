import type { Manifest } from '../../metadata/metadata-store.js';
import type { NodeRegistry } from '../../nodes/node-registry.js';
import { NodeError, type ShardCopy } from '../../nodes/storage-node.js';
import { damagedOf, type MoveStep, shapeAfter, type ShardWrite, type StripeMove } from './move-step.js';
import { shardBytes } from '../shard-bytes.js';

/** A write that its node may do by itself, from another node. */
interface DirectCopy {
  readonly write: ShardWrite;
  readonly source: number;
  readonly copy: ShardCopy;
}

interface PullTask {
  readonly moves: readonly StripeMove[];
  readonly step: MoveStep;
}

/**
 * Lets nodes copy from each other what lies somewhere as it is needed: then it travels once, and not by way of this process. What does not come
 * about in this way is for the caller to do in the other one.
 */
export class ShardPuller {
  constructor(private readonly registry: NodeRegistry) {}

  /** Tells the step what arrived. Returns the writes that are still to be done, each with the node that it is meant for by now. */
  async pull(manifest: Manifest, { moves, step }: PullTask, signal: AbortSignal): Promise<readonly ShardWrite[]> {
    const reachable = new Set(this.registry.reachable());
    const left: ShardWrite[] = [];
    const copies: DirectCopy[] = [];
    for (const move of moves) {
      const damaged = damagedOf(move);
      const sources = this.registry.byReadRank(move.nodes.filter((node) => reachable.has(node) && !damaged.includes(node)));
      for (const write of move.writes) {
        const source = write.isMend ? undefined : sourceOf(manifest, write, sources);
        if (source === undefined) left.push(write);
        else copies.push({ write, source, copy: copyOf(manifest, write, source) });
      }
    }
    const groups = Map.groupBy(copies, ({ write, source }) => `${write.node} ${source}`).values();
    const undone = await Promise.all([...groups].map((group) => this.pullGroup(group, step, signal)));
    return [...left, ...undone.flat()];
  }

  /** Copies from one node to another. */
  private async pullGroup(group: readonly DirectCopy[], step: MoveStep, signal: AbortSignal): Promise<readonly ShardWrite[]> {
    const { write, source } = group[0] as DirectCopy;
    const copies = group.map(({ copy }) => copy);
    try {
      const errors = await this.registry.call(write.node, (node, limit) => node.pull(source, copies, limit), { signal });
      for (const [at, one] of group.entries()) if (errors[at] === undefined) step.arrived(one.write);
      return group.filter((_, at) => errors[at] !== undefined).map((one) => one.write);
    } catch (error) {
      if (!(error instanceof NodeError)) throw error;
      step.lost.add(write.node);
      return group.map((one) => one.write).filter((one) => step.retarget(one));
    }
  }
}

/** Any copy will do, but one that the node has itself and is to drop; of a coded stripe only the shard itself. */
function sourceOf({ k }: Manifest, { index, node, move }: ShardWrite, sources: readonly number[]): number | undefined {
  if (k === 1) return sources.find((source) => source !== node);
  const own = move.nodes[index];
  return own !== undefined && sources.includes(own) ? own : undefined;
}

function copyOf(manifest: Manifest, { stripe, index, move }: ShardWrite, source: number): ShardCopy {
  const { versionId } = manifest;
  const length = shardBytes(manifest, { stripe, index });
  return { versionId, stripe, index, ...shapeAfter(manifest, move), fromIndex: move.nodes.indexOf(source), length };
}
