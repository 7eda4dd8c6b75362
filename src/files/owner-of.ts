import type { IncomingMessage } from 'node:http';
import { DomainError } from '../common/errors.js';
import type { FileId, OwnerId } from '../common/ids.js';
import { principalOf } from '../http/principal.js';
import type { FileRecord } from '../metadata/metadata-store.js';

/** Which files there are for somebody. All others are as if they were not there. */
export interface Reach {
  readonly owner: OwnerId;
  /** What their names begin with; absent: anything. */
  readonly prefix?: string | undefined;
}

/** A file as a request names it. */
export interface FileTarget extends Reach {
  readonly id: FileId;
}

/** What a request may touch: the one place where `/files`, straight or through the controller, learns it. */
export function reachOf(request: IncomingMessage): Reach {
  const { owner, prefix } = principalOf(request);
  return { owner, prefix };
}

export function targetOf(id: FileId, request: IncomingMessage): FileTarget {
  const { owner, prefix } = principalOf(request);
  return { id, owner, prefix };
}

export function isReached({ owner, name }: FileRecord, reach: Reach): boolean {
  return owner === reach.owner && name.startsWith(reach.prefix ?? '');
}

/** @throws DomainError `forbidden` if a file would get a name under which whoever gives it could not reach it */
export function checkReach(name: string | undefined, { prefix = '' }: Reach): void {
  if (prefix === '' || name?.startsWith(prefix) === true) return;
  throw new DomainError('forbidden', 'the name does not begin with the prefix of this token');
}

/**
 * The prefix to list by, of the one that is asked for and that of the token.
 * @throws DomainError `forbidden` if none meets both
 */
export function listedPrefix(asked: string, { prefix = '' }: Reach): string {
  if (asked.startsWith(prefix)) return asked;
  if (prefix.startsWith(asked)) return prefix;
  throw new DomainError('forbidden', 'the prefix of the list lies outside of that of this token');
}
