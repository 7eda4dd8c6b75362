import type { IncomingMessage } from 'node:http';
import { type FileId, type OwnerId, STORE_OWNER } from '../common/ids.js';

/** A file as a request names it. That of another owner is not there for it. */
export interface FileTarget {
  readonly id: FileId;
  readonly owner: OwnerId;
}

/** Whose files a request is about: the one place where `/files`, straight or through the controller, learns it. */
export function ownerOf(_request: IncomingMessage): OwnerId {
  return STORE_OWNER;
}

export function targetOf(id: FileId, request: IncomingMessage): FileTarget {
  return { id, owner: ownerOf(request) };
}
