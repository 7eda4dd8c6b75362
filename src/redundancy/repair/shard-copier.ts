import { DomainError } from '../../common/errors.js';
import { SENT_BYTES_LEAST } from '../../common/release.js';
import type { Manifest } from '../../metadata/metadata-store.js';
import type { NodeRegistry } from '../../nodes/node-registry.js';
import { letGo } from '../../nodes/read-bytes.js';
import { NodeError, type Shard, type ShardId } from '../../nodes/storage-node.js';
import type { Placement } from '../../placement/placement.js';
import { StripeAttempt } from '../stripe-attempt.js';
import { encodeStripe } from '../stripe-batches.js';
import type { StripeCodec } from '../stripe-codec.js';
import type { DamageListener } from '../stripe-reader.js';
import { damagedOf, type MoveStep, shapeAfter, type ShardWrite, type StripeMove } from './move-step.js';
import { shardBytes } from '../shard-bytes.js';
import { ShardPuller } from './shard-puller.js';

export interface CopierParts {
  readonly registry: NodeRegistry;
  readonly placement: Placement;
  readonly codec: StripeCodec;
  readonly onDamage: DamageListener;
}

interface PendingWrite {
  readonly write: ShardWrite;
  readonly shard: Shard;
}

/** Copies single shards of stripes to the nodes that were chosen, and makes those that nobody has from what the others have. */
export class ShardCopier {
  private readonly puller: ShardPuller;

  constructor(private readonly parts: CopierParts) {
    this.puller = new ShardPuller(parts.registry);
  }

  /** Copies what the moves of a batch of stripes need; the step is told what arrived where, and what could not be done. */
  async copy(
    manifest: Manifest,
    { moves, step }: { readonly moves: readonly StripeMove[]; readonly step: MoveStep },
    signal: AbortSignal,
  ): Promise<void> {
    const left = await this.puller.pull(manifest, { moves, step }, signal);
    const wanted = Map.groupBy(left, ({ move }) => move);
    const data = await this.read(manifest, [...wanted.keys()], signal);
    const pending: PendingWrite[] = [];
    for (const [move, writes] of wanted) {
      const slices = data.get(move.stripe);
      if (slices === undefined) {
        step.unreadable(writes);
        continue;
      }
      const shape = shapeAfter(manifest, move);
      const source = { versionId: manifest.versionId, shape, codec: this.parts.codec, batchBytes: 0 };
      const shards = encodeStripe(slices, move.stripe, source);
      for (const write of writes) pending.push({ write, shard: shards[write.index] as Shard });
    }
    // A put that failed may be left behind, and go on.
    const hasEnded = await this.putAll(pending, step, signal);
    if (hasEnded) for (const slice of [...data.values()].flat()) if (slice.byteLength >= SENT_BYTES_LEAST) letGo(slice);
  }

  /** True if no put failed. */
  private async putAll(all: readonly PendingWrite[], step: MoveStep, signal: AbortSignal): Promise<boolean> {
    let hasFailed = false;
    for (let pending = all; pending.length > 0;) {
      const failed = (
        await Promise.all(
          [...Map.groupBy(pending, ({ write }) => write.node)].map(async ([node, group]) => {
            const isDone = await this.put(node, group, signal);
            if (!isDone) step.lost.add(node);
            if (isDone) for (const { write } of group) step.arrived(write);
            return isDone ? [] : group;
          }),
        )
      ).flat();
      hasFailed ||= failed.length > 0;
      pending = failed.filter(({ write }) => step.retarget(write));
    }
    return !hasFailed;
  }

  /** False if the node failed: then any of it may be there. */
  private async put(number: number, group: readonly PendingWrite[], signal: AbortSignal): Promise<boolean> {
    const [mends, moves] = [true, false].map((isMend) =>
      group.filter(({ write }) => write.isMend === isMend).map(({ shard }) => shard),
    ) as [Shard[], Shard[]];
    try {
      if (moves.length > 0) await this.write(number, moves, signal);
      await this.mend(number, mends, signal);
      return true;
    } catch (error) {
      if (error instanceof NodeError) return false;
      throw error;
    }
  }

  /**
   * Writes over what is bad. What is good is left alone, however bad it was said to be: it may be the only copy that is left if this ends in the
   * middle. Only what stays bad under the new bytes is deleted first.
   */
  private async mend(number: number, shards: readonly Shard[], signal: AbortSignal): Promise<void> {
    const bad = await this.badOf(number, shards, signal);
    if (bad.length === 0) return;
    await this.write(number, bad, signal);
    const hidden = await this.badOf(number, bad, signal);
    if (hidden.length === 0) return;
    await this.parts.registry.call(number, (node) => node.delete(hidden.map(idOf), signal));
    await this.write(number, hidden, signal);
  }

  private async badOf(number: number, shards: readonly Shard[], signal: AbortSignal): Promise<readonly Shard[]> {
    if (shards.length === 0) return [];
    const verdicts = await this.parts.registry.call(number, (node) => node.check(shards.map(idOf), signal));
    return shards.filter((_, at) => verdicts[at] !== undefined);
  }

  private async write(number: number, shards: readonly Shard[], signal: AbortSignal): Promise<void> {
    await this.parts.registry.call(number, (node) => node.put({ shards, records: [] }, signal));
  }

  /** The data slices of stripes, by the number of the stripe; those that cannot be read now are left out. */
  private async read(
    manifest: Manifest,
    moves: readonly StripeMove[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<number, readonly Uint8Array[]>> {
    const reachable = new Set(this.parts.registry.reachable());
    const attempts = new Map(moves.map((move) => [move.stripe, attemptAt(manifest, move, reachable)]));
    const unreadable = new Set<number>();
    for (;;) {
      const asks = [...attempts].flatMap(([stripe, attempt]) => this.asksOf(attempt, stripe, unreadable));
      if (asks.length === 0) break;
      await Promise.all(
        [...Map.groupBy(asks, ({ stripe, index }) => (attempts.get(stripe) as StripeAttempt).nodeOf(index))].map(
          async ([number, ids]) => {
            const answers = await this.ask(number, ids, signal);
            for (const [at, id] of ids.entries()) {
              const error = attempts.get(id.stripe)?.answer(id.index, answers[at]);
              if (error?.kind === 'corrupt' || error?.kind === 'not-found') this.parts.onDamage(number, id, error);
            }
          },
        ),
      );
    }
    const readable = [...attempts].filter(([stripe]) => !unreadable.has(stripe));
    return new Map(readable.map(([stripe, attempt]) => [stripe, attempt.decode(this.parts.codec)]));
  }

  private asksOf(attempt: StripeAttempt, stripe: number, unreadable: Set<number>): readonly ShardId[] {
    if (unreadable.has(stripe)) return [];
    try {
      return attempt.nextAsks((nodes) => this.parts.registry.byReadRank(nodes));
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      unreadable.add(stripe);
      return [];
    }
  }

  private async ask(number: number, ids: readonly ShardId[], signal: AbortSignal): Promise<readonly (Uint8Array | NodeError)[]> {
    try {
      return await this.parts.registry.call(number, (node) => node.get(ids, signal));
    } catch (error) {
      if (error instanceof NodeError) return ids.map(() => error);
      throw error;
    }
  }
}

/** All data slices of a stripe, from nodes that can be reached and are not known to have a bad shard of it. */
function attemptAt(manifest: Manifest, move: StripeMove, reachable: ReadonlySet<number>): StripeAttempt {
  const { k, m, versionId } = manifest;
  const { stripe, nodes } = move;
  const avoid = new Set([...nodes.filter((node) => !reachable.has(node)), ...damagedOf(move)]);
  const wanted = Array.from({ length: k }, (_, index) => index);
  const lengthOf = (index: number): number => shardBytes(manifest, { stripe, index });
  return new StripeAttempt({ versionId, stripe, nodes, shape: { k, m }, wanted, lengthOf, avoid });
}

function idOf({ versionId, stripe, index }: Shard): ShardId {
  return { versionId, stripe, index };
}
