import type { Manifest, NodeUsage } from '../../metadata/metadata-store.js';
import type { Placement } from '../../placement/placement.js';
import type { StripeShape } from '../stripe-codec.js';
import { type Stray, STRAYS_MAX } from '../write-ledger.js';
import type { ShardPlace, StripePlan } from './move-plan.js';
import { shardBytes } from '../shard-bytes.js';

/** A shard to be written. */
export interface ShardWrite {
  readonly stripe: number;
  readonly index: number;
  /** Where it goes; changes when that node fails. */
  node: number;
  readonly isMend: boolean;
  readonly move: StripeMove;
}

/** One stripe on its way from one row of nodes to another. */
export interface StripeMove {
  readonly stripe: number;
  /** Where its shards lie before, by index. */
  readonly nodes: readonly number[];
  /** Where they lie afterwards, as far as that is certain. Becomes the row of the layout. */
  readonly row: (number | undefined)[];
  readonly writes: readonly ShardWrite[];
  readonly leaves: readonly ShardPlace[];
}

export interface StepParts {
  readonly placement: Placement;
  readonly manifest: Manifest;
  /** Nodes that may get shards now. */
  readonly candidates: (from: number | undefined) => readonly number[];
}

/**
 * What a mover does between two commits: the stripes that it moves, what it put where, and what could not be done. It counts in the placement
 * from the moment of each choice.
 */
export class MoveStep {
  /** Nodes that failed in this step. */
  readonly lost = new Set<number>();
  readonly moves: StripeMove[] = [];
  /** Shards for which there was no node, or that could not be read. */
  unplaced = 0;
  unread = 0;
  bytes = 0;
  shards = 0;
  private readonly placed = new Set<ShardWrite>();
  private readonly strays: Stray[] = [];

  constructor(private readonly parts: StepParts) {}

  /** Chooses nodes for the shards that a plan moves; those for which there is none stay where they are. */
  begin(nodes: readonly number[], { stripe, row: planned, mends, leaves }: StripePlan): StripeMove {
    const row = [...planned];
    const writes: ShardWrite[] = [];
    const move: StripeMove = { stripe, nodes, row, writes, leaves };
    for (const index of mends) writes.push({ stripe, index, node: row[index] as number, isMend: true, move });
    for (const [index, node] of planned.entries()) {
      if (node !== undefined) continue;
      const target = this.choose(move, index);
      row[index] = target;
      if (target === undefined) this.unplaced += 1;
      else this.note(writes, { stripe, index, node: target, isMend: false, move });
    }
    this.moves.push(move);
    return move;
  }

  arrived(write: ShardWrite): void {
    this.shards += 1;
    this.bytes += shardBytes(this.parts.manifest, write);
  }

  /** Finds another node for a shard; false if there is none: then it stays where it is. */
  retarget(write: ShardWrite): boolean {
    const { move, index, isMend } = write;
    if (isMend) {
      this.unplaced += 1;
      return false;
    }
    this.giveUp(write);
    const target = this.choose(move, index);
    if (target === undefined) {
      this.unplaced += 1;
      return false;
    }
    write.node = target;
    move.row[index] = target;
    this.placed.add(write);
    return true;
  }

  /** What is not done yet of a stripe of which too little can be read now. */
  unreadable(writes: readonly ShardWrite[]): void {
    this.unread += 1;
    for (const write of writes) if (!write.isMend) this.giveUp(write);
  }

  /** True if every stripe has all its new shards: a layout page has rows of one length. */
  get isWhole(): boolean {
    return this.moves.every(({ row }) => !row.includes(undefined));
  }

  /** The row of a move as it is to stand in the layout: what could not be moved stays. */
  static rowOf({ row, nodes }: StripeMove): readonly number[] {
    return row.map((node, index) => node ?? (nodes[index] as number));
  }

  /** Places that are nobody's once the step is committed. */
  *left(): Generator<ShardPlace, void, undefined> {
    for (const { leaves, row, nodes } of this.moves)
      for (const place of leaves)
        if (place.index >= row.length || row[place.index] !== undefined) yield { ...place, node: nodes[place.index] as number };
  }

  /** The usage of the version after the step. */
  usage(before: readonly NodeUsage[]): readonly NodeUsage[] {
    const totals = new Map(before.map(({ node, shards, bytes }) => [node, { node, shards, bytes }]));
    const count = (place: ShardPlace, sign: 1 | -1): void => {
      const { node, shards, bytes } = totals.get(place.node) ?? { node: place.node, shards: 0, bytes: 0 };
      totals.set(node, { node, shards: shards + sign, bytes: bytes + sign * shardBytes(this.parts.manifest, place) });
    };
    for (const place of this.left()) count(place, -1);
    for (const write of this.placed) count(write, 1);
    return [...totals.values()].filter(({ shards }) => shards > 0);
  }

  /** The step is committed: what lies at the places before counts no more. Returns what may lie where nobody needs it. */
  committed(): readonly Stray[] {
    for (const { node } of this.left()) this.parts.placement.release(node, 1);
    return this.strays;
  }

  /** The step is not committed: what it put counts no more, and is nobody's. */
  undone(): readonly Stray[] {
    for (const write of [...this.placed]) this.giveUp(write);
    return this.strays;
  }

  private note(writes: ShardWrite[], write: ShardWrite): void {
    writes.push(write);
    this.placed.add(write);
  }

  private giveUp(write: ShardWrite): void {
    const { stripe, index, node, move } = write;
    const { versionId } = this.parts.manifest;
    this.parts.placement.release(node, 1);
    if (this.strays.length < STRAYS_MAX) this.strays.push({ node, shard: { versionId, stripe, index } });
    this.placed.delete(write);
    move.row[index] = undefined;
  }

  private choose({ row, nodes, leaves }: StripeMove, index: number): number | undefined {
    const leaving = new Set(leaves.map((place) => place.index));
    // What cannot be moved stays where it is, so until the end a row takes up its old nodes too, but those that are dropped.
    const taken = new Set([...row, ...nodes.filter((_, at) => at < row.length && leaving.has(at))]);
    const candidates = this.parts.candidates(nodes[index]).filter((node) => !taken.has(node) && !this.lost.has(node));
    return this.parts.placement.place({ width: 1, candidates })?.[0];
  }
}

/** Nodes of a stripe that have a bad shard of it. */
export function damagedOf({ writes }: StripeMove): readonly number[] {
  return writes.filter(({ isMend }) => isMend).map(({ node }) => node);
}

/** The shape of a stripe after a move. */
export function shapeAfter({ k }: Manifest, { row }: StripeMove): StripeShape {
  return { k, m: row.length - k };
}
