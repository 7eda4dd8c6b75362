/** What the choice for one stripe has to respect. */
export interface PlacementRequest {
  /** Shards of the stripe; each goes to a node of its own. */
  readonly width: number;
  /** Numbers of the nodes that take new shards now. */
  readonly candidates: readonly number[];
}

interface Candidate {
  readonly node: number;
  files: number;
}

/**
 * The original's rule: the node with the fewest files is filled first, ties go to the lowest number. What is being written counts from
 * the moment of the choice, so that many uploads at once spread as evenly as one after the other.
 *
 * Why this keeps the counts within 1 of each other while the candidates stay the same: if all counts are c or c + 1, the `width` nodes
 * taken are first those with c, then those with c + 1 only if no c is left; either way the result is again two neighbouring counts.
 */
export class Placement {
  private readonly counts = new Map<number, number>();

  /** Sets what is already stored on a node: shards of committed versions. */
  restore(node: number, files: number): void {
    this.counts.set(node, files);
  }

  /** Files on a node, those in flight included. */
  files(node: number): number {
    return this.counts.get(node) ?? 0;
  }

  /** Files on each node of which something is known. */
  all(): ReadonlyMap<number, number> {
    return new Map(this.counts);
  }

  /** Chooses `width` distinct nodes and counts a file on each; undefined, and nothing counted, if there are too few candidates. */
  place(request: PlacementRequest): readonly number[] | undefined {
    return this.series(request)?.();
  }

  /**
   * What chooses as {@link place} does, for one stripe after the other: the candidates are put into their order once. It is good for as long
   * as nobody else changes what is counted on them; undefined if there are too few.
   */
  series({ width, candidates }: PlacementRequest): (() => readonly number[]) | undefined {
    if (candidates.length < width) return undefined;
    const order = candidates.map((node): Candidate => ({ node, files: this.files(node) })).sort(compare);
    return () => {
      const chosen = order.slice(0, width);
      for (const candidate of chosen) this.counts.set(candidate.node, (candidate.files += 1));
      for (let at = width - 1; at >= 0; at -= 1) sink(order, at);
      return chosen.map(({ node }) => node);
    };
  }

  /** Counts files that somebody else has placed. */
  count(node: number, files: number): void {
    this.add(node, files);
  }

  /** Takes back files that were counted by {@link place} and were not stored, or were deleted. */
  release(node: number, files: number): void {
    this.add(node, -files);
  }

  /** A file that was counted on one node goes to another one. */
  move(from: number, to: number): void {
    this.add(from, -1);
    this.add(to, 1);
  }

  private add(node: number, files: number): void {
    this.counts.set(node, this.files(node) + files);
  }
}

function compare(a: Candidate, b: Candidate): number {
  return a.files - b.files || a.node - b.node;
}

/** Moves one that has got more behind those that come before it now; all behind it are in their order. */
function sink(order: Candidate[], from: number): void {
  const candidate = order[from] as Candidate;
  let at = from;
  for (let next = order[at + 1]; next !== undefined && compare(next, candidate) < 0; next = order[at + 1]) order[at++] = next;
  order[at] = candidate;
}
