/**
 * Size of a maximum matching between shards and nodes: as many shards as possible, each with a node of its own that has it (Kuhn's
 * algorithm: augmenting paths, in shards × places). A stripe is small, so nothing faster is needed.
 * @param places for each shard the nodes that have it
 */
export function maximumMatching(places: readonly (readonly number[])[]): number {
  const shardOf = new Map<number, number>();
  const augment = (shard: number, seen: Set<number>): boolean => {
    for (const node of places[shard] ?? []) {
      if (seen.has(node)) continue;
      seen.add(node);
      const other = shardOf.get(node);
      if (other !== undefined && !augment(other, seen)) continue;
      shardOf.set(node, shard);
      return true;
    }
    return false;
  };
  return places.filter((_, shard) => augment(shard, new Set())).length;
}

/**
 * How many more nodes may be lost, whichever they are, before fewer than k shards of a stripe are left; -1 if there are fewer now.
 * Losing a node takes one pair at the most out of a matching, so one of k + f pairs survives f nodes. That is exact as long as no two
 * shards share a node, which is how stripes are placed; else it is never more than the truth.
 * @param places for each shard the nodes that have it and can be read now
 */
export function survivableLosses(places: readonly (readonly number[])[], k: number): number {
  const readable = places.filter((nodes) => nodes.length > 0).length;
  return readable < k ? -1 : Math.max(0, maximumMatching(places) - k);
}
