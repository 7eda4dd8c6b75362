/** Files that have to stay where they are until somebody does something about them. */
export interface StuckFiles {
  readonly files: number;
  /** One of them. */
  readonly fileId: string;
  readonly reason: string;
}

/** How far a node that drains has come. What is left of files is said by the index; this is the rest. */
export interface DrainProgress {
  /** Records of files, and of deleted files, that are still said to lie on it. */
  readonly records: number;
  readonly etaSeconds: number | undefined;
  /** True if nothing is left on it, so that it may be removed. */
  readonly isDone: boolean;
  /** Those that keep it from being done; undefined: none was found. */
  readonly stuck: StuckFiles | undefined;
}

/** What is left of files that are brought to another number of copies, or restored to a node with a new disk. */
export interface AlignmentProgress {
  readonly files: number;
  readonly bytes: number;
  readonly etaSeconds: number | undefined;
  /** Files that could not be brought there with the last attempt. */
  readonly failed: number;
  /** Those of them with which trying again does not help. */
  readonly stuck: StuckFiles | undefined;
}

/** The file that would be lost first. */
export interface StoreSurvival {
  /** How many more nodes may be lost without losing a file; -1 if one cannot be read in full already now. */
  readonly survives: number;
  /** Which one that is; undefined if there is no file. */
  readonly fileId: string | undefined;
  /** When that was looked at, milliseconds since 1970. */
  readonly at: number;
}

/** What is going on with the places of files, for whoever describes the store. Written by those who do it. */
export class StoreView {
  readonly drains = new Map<number, DrainProgress>();
  /** Absent: nothing is left to do. */
  alignment: AlignmentProgress | undefined;
  /** Absent: not looked at yet since the start. */
  survival: StoreSurvival | undefined;
}
