/** How far a node that drains has come. What is left of files is said by the index; this is the rest. */
export interface DrainProgress {
  /** Records of files, and of deleted files, that are still said to lie on it. */
  readonly records: number;
  readonly etaSeconds: number | undefined;
  /** True if nothing is left on it, so that it may be removed. */
  readonly isDone: boolean;
}

/** What is left of files that are brought to another number of copies, or restored to a node with a new disk. */
export interface AlignmentProgress {
  readonly files: number;
  readonly bytes: number;
  readonly etaSeconds: number | undefined;
  /** Files that could not be brought there with the last attempt. */
  readonly failed: number;
}

/** What is going on with the places of files, for whoever describes the store. Written by those who do it. */
export class StoreView {
  readonly drains = new Map<number, DrainProgress>();
  /** Nodes of which the disk is a new one, and not all of the old one is restored. */
  restoring: ReadonlySet<number> = new Set();
  /** Absent: nothing is left to do. */
  alignment: AlignmentProgress | undefined;
}
