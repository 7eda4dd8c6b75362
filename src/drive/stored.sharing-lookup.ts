import { Injectable } from '@nestjs/common';
import type { AccountId } from '../auth/account.js';
import type { FileId } from '../common/ids.js';
import type { Principal } from '../http/principal.js';
import { LinkCredentials } from './link-credentials.js';
import { SharingDocuments } from './sharing-documents.js';
import { SharingLookup, type LinkedNode, type NodeSharing } from './sharing-lookup.js';

/** As it is kept now. */
@Injectable()
export class StoredSharingLookup extends SharingLookup {
  constructor(
    private readonly documents: SharingDocuments,
    private readonly credentials: LinkCredentials,
  ) {
    super();
  }

  override of(account: AccountId, nodeId: FileId, signal: AbortSignal): Promise<NodeSharing | undefined> {
    return this.documents.of(account, nodeId, signal);
  }

  override linkedBy(principal: Principal): LinkedNode | undefined {
    return this.credentials.linkedBy(principal);
  }
}
