/** A shard, and the node on which it lies. */
export interface ShardPlace {
  readonly stripe: number;
  readonly index: number;
  readonly node: number;
}

/** What is to become of a shard: it stays as it is; it goes to another node; or it is written anew where it lies. */
export type Fate = 'keep' | 'move' | 'mend';

/** The whole of what a mover has to know of the reasons for which it moves shards. */
export interface MovePolicy {
  /** m of the stripes afterwards; absent: as it is. A lower one drops the shards with the highest indices. */
  readonly m?: number;
  /**
   * Asked for every shard that is not dropped, by index, shortly before it is acted on.
   * @param row the nodes of its stripe
   */
  readonly decide: (place: ShardPlace, row: readonly number[]) => Fate;
  /** Whether a node may get a shard that lies on `from` now (undefined: nowhere yet); asked of nodes that can be written to. Absent: any. */
  readonly mayTake?: (node: number, from: number | undefined) => boolean;
  /** Whether the record of a version may lie on a node; absent: on any that can be reached. */
  readonly mayKeepRecord?: (node: number) => boolean;
}

/** What is to be done with one stripe. */
export interface StripePlan {
  readonly stripe: number;
  /** The nodes of its shards afterwards, by index; undefined: one is to be found. */
  readonly row: readonly (number | undefined)[];
  /** Indices of the shards that stay where they are and are written anew. */
  readonly mends: readonly number[];
  /** Where shards lie that the stripe does not need there any more, once the new ones are in place. */
  readonly leaves: readonly ShardPlace[];
}

/** Plans one stripe; undefined if everything in it stays as it is. */
export function planStripe(
  { stripe, nodes, k }: { readonly stripe: number; readonly nodes: readonly number[]; readonly k: number },
  { m, decide }: MovePolicy,
): StripePlan | undefined {
  const width = m === undefined ? nodes.length : k + m;
  const places = nodes.map((node, index) => ({ stripe, index, node }));
  const leaves = places.slice(width);
  const mends: number[] = [];
  const row: (number | undefined)[] = places.slice(0, width).map((place) => {
    const fate = decide(place, nodes);
    if (fate === 'mend') mends.push(place.index);
    if (fate !== 'move') return place.node;
    leaves.push(place);
    return undefined;
  });
  while (row.length < width) row.push(undefined);
  const isUnchanged = leaves.length === 0 && mends.length === 0 && row.length === nodes.length;
  return isUnchanged ? undefined : { stripe, row, mends, leaves };
}
