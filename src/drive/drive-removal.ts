import type { AccountId } from '../auth/account.js';
import type { FileId } from '../common/ids.js';
import type { NodeHead } from '../sdk/drive-record.js';

/** Removes what nobody needs any more: in its own time, and after a crash by the sweep. */
export abstract class DriveRemoval {
  /** A node's document is gone: what lay in the node, and what belongs to it, goes too. */
  abstract enqueue(account: AccountId, head: NodeHead): void;

  /** A file has more revisions than are kept. */
  abstract tidySoon(account: AccountId, nodeId: FileId): void;
}
