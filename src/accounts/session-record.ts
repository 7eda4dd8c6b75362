import { DomainError } from '../common/errors.js';
import type { FileId } from '../common/ids.js';
import type { UserName } from '../common/user-name.js';
import type { StoredDocument } from '../documents/document-store.js';

/** `recovery` has shown the recovery code, and may set a new password and nothing else. */
export type SessionKind = 'login' | 'recovery';

const FORMAT = 1;

/** What is kept of a session; of its secret only the SHA-256. */
export interface SessionFields {
  readonly accountId: FileId;
  readonly userName: UserName;
  readonly kind: SessionKind;
  /** Of the login by which it began. */
  readonly epoch: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly expiresAt: number;
  /** In base64url. */
  readonly secretHash: string;
}

export interface SessionRecord extends SessionFields {
  readonly id: FileId;
}

export function writeSession({ accountId, userName, kind, epoch, createdAt, expiresAt, secretHash }: SessionFields): Uint8Array {
  return Buffer.from(JSON.stringify({ format: FORMAT, accountId, userName, kind, epoch, createdAt, expiresAt, secretHash }));
}

/** @throws DomainError `data-damaged` */
export function readSession({ id, bytes }: Pick<StoredDocument, 'id' | 'bytes'>): SessionRecord {
  const { format, ...fields } = JSON.parse(Buffer.from(bytes).toString()) as SessionFields & { readonly format: number };
  if (format !== FORMAT) throw new DomainError('data-damaged', 'a session is of a format that this program does not know');
  return { ...fields, id };
}
