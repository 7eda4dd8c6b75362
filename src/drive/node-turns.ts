import { Injectable } from '@nestjs/common';
import type { FileId } from '../common/ids.js';
import { Turns } from '../common/turns.js';

/**
 * What belongs to one node (revisions, and what was uploaded for them) is committed and removed by one call after the other: who removes what
 * no revision needs must not meet one that is being written. The index has one process, so turns in it are enough.
 */
@Injectable()
export class NodeTurns {
  private readonly turns = new Turns<FileId>();

  /** Runs a call when those before it about this node have ended. Never from within another call about the node. */
  take<Result>(node: FileId, work: () => Promise<Result>): Promise<Result> {
    return this.turns.take(node, work);
  }
}
