import type { IncomingHttpHeaders } from 'node:http';
import fresh from 'fresh';
import { DomainError } from '../common/errors.js';
import { parseId, type VersionId } from '../common/ids.js';

/** What conditional requests compare with. */
export interface Validators {
  readonly etag: string;
  /** Milliseconds since 1970. */
  readonly lastModified: number;
}

/** The entity tag of a version. It tells nothing of the content: the same bytes stored twice have two tags. */
export function etagOf(versionId: VersionId): string {
  return `"${versionId}"`;
}

/** HTTP dates have whole seconds. */
function toSeconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000) * 1000;
}

export function httpDate(milliseconds: number): string {
  return new Date(milliseconds).toUTCString();
}

/**
 * The preconditions of a GET or HEAD, in the order of RFC 9110 §13.2.2.
 * @returns true if the client has this version already (304)
 * @throws DomainError `precondition-failed`
 */
export function isNotModified(headers: IncomingHttpHeaders, { etag, lastModified }: Validators): boolean {
  const since = headers['if-unmodified-since'];
  if (headers['if-match'] !== undefined) {
    if (!matches(headers['if-match'], etag))
      throw new DomainError('precondition-failed', 'the file has another version than If-Match names');
  } else if (since !== undefined && toSeconds(lastModified) > Date.parse(since)) {
    throw new DomainError('precondition-failed', 'the file was changed after If-Unmodified-Since');
  }
  // `fresh` answers Cache-Control: no-cache with "not fresh", which is about caches on the way; a reload that asks if-none-match means it.
  const conditions = { 'if-none-match': headers['if-none-match'], 'if-modified-since': headers['if-modified-since'] };
  return fresh(conditions, { etag, 'last-modified': httpDate(lastModified) });
}

/** Whether a `Range` still means the version it was made for (RFC 9110 §13.1.5): the tag or date must match exactly. */
export function isRangeCurrent(ifRange: string | undefined, { etag, lastModified }: Validators): boolean {
  if (ifRange === undefined) return true;
  return ifRange.startsWith('"') ? ifRange === etag : Date.parse(ifRange) === toSeconds(lastModified);
}

/** What `If-Match` of a change demands: nothing, or one of these versions. Weak tags match nothing (RFC 9110 §13.1.1). */
export function demandedVersions(ifMatch: string | undefined): readonly VersionId[] | undefined {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined;
  return tags(ifMatch)
    .map((tag) => parseId<VersionId>(tag.slice(1, -1)))
    .filter((id) => id !== undefined);
}

function matches(ifMatch: string, etag: string): boolean {
  return ifMatch.trim() === '*' || tags(ifMatch).includes(etag);
}

function tags(header: string): readonly string[] {
  return header.split(',').map((tag) => tag.trim());
}
