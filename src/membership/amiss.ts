import type { Manifest, Tombstone } from '../metadata/metadata-store.js';

/** How files are to lie: on as many nodes as the configuration says, and on none that leaves. */
export interface Target {
  readonly redundancy: number;
  /** Whether a node is to have nothing: it drains, or was removed. */
  readonly isLeaving: (node: number) => boolean;
  /** Whether what a node should have may be lost: its disk is a new one, and not all was looked at since. */
  readonly isRestoring: (node: number) => boolean;
}

/** What is not as it should be with a file. */
export interface Amiss {
  /** It has copies for another number of lost nodes. */
  readonly isReshaped: boolean;
  /** Shards of it, or its record, lie on nodes that leave. */
  readonly leaves: boolean;
  /** Nodes on which shards of it, or its record, may be missing. */
  readonly restores: readonly number[];
}

/** What is amiss with a version, as far as its manifest tells; undefined: nothing. */
export function amissOf(manifest: Manifest, target: Target): Amiss | undefined {
  const { m, usage, recordNodes } = manifest;
  const nodes = [...new Set([...usage.map(({ node }) => node), ...recordNodes])];
  const isReshaped = m !== target.redundancy || isNarrow(manifest);
  const leaves = nodes.some(target.isLeaving);
  const restores = nodes.filter((node) => !target.isLeaving(node) && target.isRestoring(node));
  return isReshaped || leaves || restores.length > 0 ? { isReshaped, leaves, restores } : undefined;
}

/**
 * Whether some stripes of a version have fewer shards than its m says: m comes last when copies are dropped, and a crash, or another wish, may
 * come before.
 */
export function isNarrow({ k, m, sealedSize, sliceBytes, usage }: Manifest): boolean {
  const stripes = Math.ceil(Math.ceil(sealedSize / sliceBytes) / k);
  return usage.reduce((sum, { shards }) => sum + shards, 0) < stripes * (k + m);
}

/** Whether a tombstone has to be put anew. One that lies on more nodes than it must does no harm, and goes by itself. */
export function isTombstoneAmiss({ nodes }: Tombstone, target: Target): boolean {
  return nodes.length <= target.redundancy || nodes.some(target.isLeaving);
}
