import type { FileId } from '../common/ids.js';
import type { Reach } from './drive-reach.js';
import type { CurrentContent } from './stored-node.js';
import type { WritingPlace } from './writer-check.js';

/** The first content of a file that is about to be made. */
export interface FirstContent {
  readonly nodeId: FileId;
  /** Generation of the node's keys, by its record. */
  readonly generation: number;
  /** Whether the id of the node is one that was given out; if not, it must be that of an upload by who asks, into this folder. */
  readonly isIssued: boolean;
  readonly manifest: Uint8Array;
  /** The whole content, sealed; undefined if its parts were uploaded. */
  readonly content: Uint8Array | undefined;
  /** SHA-256 of each part that was uploaded. */
  readonly digests: readonly Uint8Array[] | undefined;
  readonly reach: Reach;
  /** The folder in which the file is made, and what is above it. */
  readonly place: WritingPlace;
}

/** Where contents of files are written. */
export abstract class ContentCommits {
  /**
   * Checks a manifest, writes its revision, and then has the node made that names it. Meanwhile nothing that the revision needs can change.
   * What comes to be named by no node is for the sweep.
   * @param make the node; when it resolves, nothing is left of the upload but the content
   * @throws DomainError `invalid-record`, `identity-outdated`, `writers-changed`, `parts-missing`, `id-not-issued`, `quota-exceeded`; what `make` throws
   */
  abstract first<Made>(
    content: FirstContent,
    make: (content: CurrentContent) => Promise<Made>,
    signal: AbortSignal,
  ): Promise<Made>;
}
