import { Injectable } from '@nestjs/common';
import type { AccountId } from '../auth/account.js';
import { errorCode } from '../common/errors.js';
import { type FileId, timeOfId } from '../common/ids.js';
import { documentsIn, removeIfThere } from '../documents/collections.js';
import { DocumentStore } from '../documents/document-store.js';

const COLLECTION = 'drive-incoming';
const NOTHING = new Uint8Array(0);
/** A note is made before what it is about; younger ones may be right in a moment. */
const GRACE_MS = 600_000;

/** That something may be shared with an account. */
export interface SharedNote {
  readonly nodeId: FileId;
  /** Forgets it, unless it is new. */
  readonly drop: (signal: AbortSignal) => Promise<void>;
}

/** Which nodes may be shared with whom: notes to look by, and nothing that gives anybody anything. */
@Injectable()
export class SharedWith {
  constructor(private readonly documents: DocumentStore) {}

  /** To be durable before the node is shared. */
  async note(recipient: AccountId, nodeId: FileId, signal: AbortSignal): Promise<void> {
    const key = keyOf(recipient, nodeId);
    const found = await this.documents.get(COLLECTION, key, signal);
    try {
      if (found === undefined) await this.documents.create(COLLECTION, key, NOTHING, signal);
      else await this.documents.replace(COLLECTION, found.id, { bytes: NOTHING, expected: found.revision }, signal); // it is young again
    } catch (error) {
      const code = errorCode(error);
      if (code !== 'document-exists' && code !== 'precondition-failed') throw error; // somebody else notes the same
    }
  }

  async *notesOf(recipient: AccountId, signal: AbortSignal): AsyncGenerator<SharedNote, void, undefined> {
    const prefix = `${recipient}/`;
    for await (const { id, key, revision } of documentsIn(this.documents, { collection: COLLECTION, prefix }, () => signal)) {
      const drop = async (until: AbortSignal): Promise<void> => {
        // As it was read: one that was made young again meanwhile is about something that is shared in a moment.
        const isOld = timeOfId(revision) < Date.now() - GRACE_MS;
        if (isOld) await removeIfThere(this.documents, COLLECTION, { id, expected: revision }, until);
      };
      yield { nodeId: key.slice(prefix.length) as FileId, drop };
    }
  }
}

function keyOf(recipient: AccountId, nodeId: FileId): string {
  return `${recipient}/${nodeId}`;
}
