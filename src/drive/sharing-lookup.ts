import type { AccountId } from '../auth/account.js';
import type { FileId } from '../common/ids.js';
import type { Principal } from '../http/principal.js';
import type { WriterEntry } from '../sdk/writers.js';

export type Rights = 'read' | 'write';

/** How one node is shared now. */
export interface NodeSharing {
  /** The newest list of writers, as the owner signed it. */
  readonly writers: Uint8Array;
  /** Of that list. */
  readonly revision: number;
  readonly entries: readonly WriterEntry[];
  /** By the account of the recipient. */
  readonly grants: ReadonlyMap<AccountId, Rights>;
}

/** What the credential of a link opens: a node and everything below it, for reading. */
export interface LinkedNode {
  readonly account: AccountId;
  readonly nodeId: FileId;
}

/** What is asked of sharing by who decides who may see and write what. */
export abstract class SharingLookup {
  /** Undefined if this node, by itself, is not shared and was not. Asked for each folder above a node, so it has to be quick. */
  abstract of(account: AccountId, nodeId: FileId, signal: AbortSignal): Promise<NodeSharing | undefined>;

  /** Undefined if it is not a link's credential that the request came with. */
  abstract linkedBy(principal: Principal): LinkedNode | undefined;
}
