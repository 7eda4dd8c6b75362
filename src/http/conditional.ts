import type { IncomingHttpHeaders } from 'node:http';
import fresh from 'fresh';
import { DomainError } from '../common/errors.js';
import type { VersionId } from '../common/ids.js';

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

/** The headers that a change may depend on. */
export type Preconditions = Pick<IncomingHttpHeaders, 'if-match' | 'if-none-match' | 'if-unmodified-since'>;

export function validatorsOf(file: { readonly versionId: VersionId; readonly updatedAt: number }): Validators {
  return { etag: etagOf(file.versionId), lastModified: file.updatedAt };
}

/**
 * The preconditions of a GET or HEAD, in the order of RFC 9110 §13.2.2.
 * @returns true if the client has this version already (304)
 * @throws DomainError `precondition-failed`
 */
export function isNotModified(headers: IncomingHttpHeaders, validators: Validators): boolean {
  checkUnchanged(headers, validators);
  const { 'if-none-match': ifNoneMatch, 'if-modified-since': ifModifiedSince } = headers;
  if (ifNoneMatch === undefined && ifModifiedSince === undefined) return false; // as of most; a date takes long to write
  // `fresh` answers Cache-Control: no-cache with "not fresh", which is about caches on the way; a reload that asks if-none-match means it.
  const conditions = { 'if-none-match': ifNoneMatch, 'if-modified-since': ifModifiedSince };
  return fresh(conditions, { etag: validators.etag, 'last-modified': httpDate(validators.lastModified) });
}

/** Whether a change depends on which version is current. It does not if it only demands that there is one, or names no date that can be read. */
export function isConditional(headers: Preconditions): boolean {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch, 'if-unmodified-since': since } = headers;
  if (ifNoneMatch !== undefined) return true;
  return ifMatch === undefined ? !Number.isNaN(Date.parse(since ?? '')) : !isAny(ifMatch);
}

/**
 * The preconditions of a change, in the order of RFC 9110 §13.2.2.
 * @throws DomainError `precondition-failed`
 */
export function checkChange(headers: Preconditions, validators: Validators): void {
  checkUnchanged(headers, validators);
  const unwanted = headers['if-none-match'];
  if (unwanted === undefined) return;
  // Compared weakly (RFC 9110 §13.1.2): W/ makes no difference.
  if (isAny(unwanted) || tags(unwanted).some((tag) => tag.replace(/^W\//, '') === validators.etag))
    throw new DomainError('precondition-failed', 'the file is at a version that If-None-Match names');
}

/**
 * Whether a `Range` still means the version it was made for. Only its tag tells: a date has room for two versions, which makes it a weak
 * validator that must not match (RFC 9110 §13.1.5, §8.8.2.2).
 */
export function isRangeCurrent(ifRange: string | undefined, { etag }: Validators): boolean {
  return ifRange === undefined || ifRange === etag;
}

/** `If-Match`, and only without it `If-Unmodified-Since`. Weak tags match nothing (RFC 9110 §13.1.1). */
function checkUnchanged(headers: Preconditions, { etag, lastModified }: Validators): void {
  const { 'if-match': wanted, 'if-unmodified-since': since } = headers;
  if (wanted !== undefined) {
    if (!isAny(wanted) && !tags(wanted).includes(etag))
      throw new DomainError('precondition-failed', 'the file has another version than If-Match names');
  } else if (since !== undefined && toSeconds(lastModified) > Date.parse(since)) {
    throw new DomainError('precondition-failed', 'the file was changed after If-Unmodified-Since');
  }
}

function isAny(header: string): boolean {
  return header.trim() === '*';
}

function tags(header: string): readonly string[] {
  return header.split(',').map((tag) => tag.trim());
}
