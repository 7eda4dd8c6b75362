import assert from 'node:assert/strict';
import { type FileId, type OwnerId, STORE_OWNER, type VersionId } from '../common/ids.js';
import type { Quota } from '../http/account-limits.js';
import type { StoredDocument } from '../documents/document-store.js';

/** The id of an account: that of its document. */
export type AccountId = FileId;

export type Role = 'admin' | 'user';
export const ROLES: readonly Role[] = ['admin', 'user'];

const FORMAT = 1;

/** What is kept of an account. */
export interface AccountFields {
  readonly name: string;
  readonly role: Role;
  readonly quota: Quota;
  /** Whether nothing that belongs to it is accepted any more. */
  readonly isDisabled: boolean;
  /** Whether the files are its own that were stored before there were accounts: those of the first administrator. */
  readonly hasStore: boolean;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

export interface Account extends AccountFields {
  readonly id: AccountId;
  readonly revision: VersionId;
}

/** Whose the files of an account are. */
export function ownerOf({ id, hasStore }: Account): OwnerId {
  return hasStore ? STORE_OWNER : (id as string as OwnerId);
}

export function writeAccount(fields: AccountFields): Uint8Array {
  const { name, role, quota, isDisabled, hasStore, createdAt } = fields;
  return Buffer.from(JSON.stringify({ format: FORMAT, name, role, quota, isDisabled, hasStore, createdAt }));
}

export function readAccount({ id, revision, bytes }: Pick<StoredDocument, 'id' | 'revision' | 'bytes'>): Account {
  const { format, ...fields } = JSON.parse(Buffer.from(bytes).toString()) as AccountFields & { format: number };
  assert.equal(format, FORMAT, 'an account of another format');
  return { ...fields, id, revision };
}
