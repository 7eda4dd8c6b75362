import assert from 'node:assert/strict';
import { hash, randomBytes } from 'node:crypto';
import { parseId, type FileId, type VersionId } from '../common/ids.js';
import type { StoredDocument } from '../documents/document-store.js';
import type { Scope } from '../http/principal.js';
import type { AccountId } from './account.js';

/** The id of a token: that of its document. */
export type TokenId = FileId;

export const SCOPES: readonly Scope[] = ['read', 'write', 'admin'];
/** What a token begins with. */
export const TOKEN_KIND = 'dct';

const FORMAT = 1;
const SECRET_BYTES = 32;

/** What is kept of a token; of its secret only the SHA-256. */
export interface TokenFields {
  readonly accountId: AccountId;
  /** For its owner. */
  readonly label: string;
  readonly scopes: readonly Scope[];
  readonly prefix: string;
  /** Milliseconds since 1970; null: never. */
  readonly expiresAt: number | null;
  readonly createdAt: number;
  /** About when it was used last; null: not yet. */
  readonly usedAt: number | null;
  /** The token by which it was made, and with which it ends; null: it stands by itself. */
  readonly parent: TokenId | null;
  /** In base64url. */
  readonly secretHash: string;
}

export interface Token extends TokenFields {
  readonly id: TokenId;
  readonly revision: VersionId;
}

export function newSecret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url');
}

/** A secret has 256 random bits, so nothing slower is needed to keep it from being guessed. */
export function hashOf(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}

/** A credential as its owner has it: kind, id and secret, so that a scanner for leaked secrets can tell it. */
export function credentialText(kind: string, id: FileId, secret: string): string {
  return `${kind}_${id.replaceAll('-', '')}_${secret}`;
}

const UUID_GROUPS = /^(.{8})(.{4})(.{4})(.{4})(.{12})$/;
const CREDENTIAL = /^(dc[a-z])_([0-9a-f]{32})_([\w-]{43})$/;

export interface ParsedCredential {
  readonly kind: string;
  readonly id: FileId;
  readonly secret: string;
}

export function parseCredential(text: string): ParsedCredential | undefined {
  const [, kind, digits, secret] = CREDENTIAL.exec(text) ?? [];
  if (kind === undefined || digits === undefined || secret === undefined) return undefined;
  const id = parseId<FileId>(digits.replace(UUID_GROUPS, '$1-$2-$3-$4-$5'));
  return id === undefined ? undefined : { kind, id, secret };
}

export function writeToken(fields: TokenFields): Uint8Array {
  const { accountId, label, scopes, prefix, expiresAt, createdAt, usedAt, parent, secretHash } = fields;
  const kept = { format: FORMAT, accountId, label, scopes, prefix, expiresAt, createdAt, usedAt, parent, secretHash };
  return Buffer.from(JSON.stringify(kept));
}

export function readToken({ id, revision, bytes }: Pick<StoredDocument, 'id' | 'revision' | 'bytes'>): Token {
  const { format, ...fields } = JSON.parse(Buffer.from(bytes).toString()) as TokenFields & { format: number };
  assert.equal(format, FORMAT, 'a token of another format');
  return { ...fields, id, revision };
}
