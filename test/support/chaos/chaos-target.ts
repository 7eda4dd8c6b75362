import type { Direction, LinkFault } from './fault-proxy.ts';

export type DeedKind =
  /** SIGKILL, and a start later on. */
  | 'kill'
  /** SIGTERM, and a start later on. */
  | 'stop'
  /** SIGSTOP, and SIGCONT later on. */
  | 'freeze'
  /** What a node keeps is out of reach for a while, as with a cable that is pulled. */
  | 'vanish'
  /** All that a node keeps is deleted; it has to be put in place anew, and filled by repair. */
  | 'empty'
  /** The links to a node are bad for a while. */
  | 'cut'
  /** The disk of a node has no byte left for a while. */
  | 'fill'
  /** The clock of a node is wrong for a while. */
  | 'skew'
  /** The process with the index is killed, the index is deleted and made anew from the nodes. */
  | 'rebuild'
  /** The database of the index is killed or frozen for a while. */
  | 'database'
  /** The process with the index is killed or frozen, and another one takes over; then it comes back. */
  | 'take-over';

export interface Deed {
  readonly kind: DeedKind;
  readonly node: number;
  readonly fault?: LinkFault;
  readonly direction?: Direction | undefined;
  /** By how much the clock is wrong. */
  readonly offsetMs?: number;
  /** The process that takes over. */
  readonly heir?: number;
  /** The old one is frozen instead of killed, and so does not know what happened when it comes back. */
  readonly isFrozen?: boolean;
  /** What the old one kept is deleted with it. */
  readonly isEmptied?: boolean;
}

/** What a deed takes from a store: a node, nothing that lasts, or so much that there may be nothing else wrong. */
export type Cost = 'node' | 'none' | 'alone';

/** A store that runs for real, and all that can be done to it. Nodes are numbered from 1. */
export abstract class ChaosTarget {
  abstract readonly nodes: number;
  abstract readonly redundancy: number;
  /** What can be done to it, and how often as against the others. */
  abstract readonly deeds: Readonly<Partial<Record<DeedKind, number>>>;
  /** The node of the process with the index; 0: that of all. */
  abstract readonly gateway: number;

  /** Where a client may knock at this moment: also at doors behind which nobody answers. */
  abstract urls(): readonly string[];
  /** Where a client may count on an answer while these nodes are away: at no process that is cut off with its node. */
  abstract urlsWithout(away: ReadonlySet<number>): readonly string[];
  /** Where each node keeps everything. */
  abstract folders(): readonly string[];
  abstract cost(deed: Deed): Cost;
  abstract begin(deed: Deed): Promise<void>;
  /** Makes it good; resolves when the store is again what it was before. */
  abstract end(deed: Deed): Promise<void>;
  /** Resolves when all nodes are up and every file has all its copies. */
  abstract untilWhole(): Promise<void>;
  /** What its processes have printed since the last time. */
  abstract takeLogs(): string;
  /** Ends all processes and removes all that was made, whatever state it is in. */
  abstract remove(): Promise<void>;
}

/** A deed in words. */
export function spellDeed({ kind, node, fault, direction, offsetMs, heir, ...how }: Deed): string {
  const end = how.isEmptied === true ? 'emptied' : how.isFrozen === true ? 'frozen' : 'killed';
  const parts = [
    kind === 'database'
      ? `${how.isFrozen === true ? 'freeze' : 'kill'} the database`
      : `${kind} ${node === 0 ? 'all' : `node ${node}`}`,
    ...(fault === undefined ? [] : [`${JSON.stringify(fault)} ${direction ?? 'both ways'}`]),
    ...(offsetMs === undefined ? [] : [`by ${offsetMs} ms`]),
    ...(heir === undefined ? [] : [`by node ${heir}, the old one ${end}`]),
  ];
  return parts.join(', ');
}
