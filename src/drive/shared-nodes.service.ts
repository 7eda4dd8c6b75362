import { Injectable } from '@nestjs/common';
import type { AccountId } from '../auth/account.js';
import { errorCode } from '../common/errors.js';
import type { Principal } from '../http/principal.js';
import { readGrantHead } from '../sdk/grant.js';
import { DriveReach, type SeenNode } from './drive-reach.js';
import { SharedWith, type SharedNote } from './shared-with.js';
import { SharingDocuments } from './sharing-documents.js';

/** Shown at once; whoever was granted more has to be told by others. */
export const SHARED_MAX = 1_000;

/** A node that was granted to somebody. */
export interface GrantedNode {
  readonly node: SeenNode;
  /** As the owner signed it. */
  readonly grant: Uint8Array;
}

/** What others share with an account. */
@Injectable()
export class SharedNodes {
  constructor(
    private readonly reach: DriveReach,
    private readonly documents: SharingDocuments,
    private readonly notes: SharedWith,
  ) {}

  /** What was granted first comes first. Notes of what is over go on the way. @throws DomainError `accounts-required`, `forbidden` */
  async list(principal: Principal, signal: AbortSignal): Promise<readonly GrantedNode[]> {
    const caller = this.reach.callers.accountOf(principal);
    const found: GrantedNode[] = [];
    for await (const note of this.notes.notesOf(caller, signal)) {
      const granted = await this.granted(principal, caller, note, signal);
      if (granted !== undefined) found.push(granted);
      if (found.length === SHARED_MAX) break;
    }
    return found;
  }

  private async granted(
    principal: Principal,
    caller: AccountId,
    { nodeId, drop }: SharedNote,
    signal: AbortSignal,
  ): Promise<GrantedNode | undefined> {
    const found = await this.reach.store.find(nodeId, signal);
    const sharing = found && (await this.documents.read(found.account, nodeId, signal));
    const grant = sharing?.grants.find((bytes) => readGrantHead(bytes).recipientId === caller);
    if (grant === undefined) {
      await drop(signal);
      return undefined;
    }
    try {
      return { node: await this.reach.see(principal, nodeId, signal), grant };
    } catch (error) {
      if (errorCode(error) !== 'node-not-found') throw error;
      return undefined; // the folder that it lies in was removed: in a while, the node is too
    }
  }
}
