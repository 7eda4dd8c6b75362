import { timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { AccountDirectory } from '../auth/account-directory.js';
import type { Account } from '../auth/account.js';
import { credentialText, hashOf, newSecret, parseCredential } from '../auth/token.js';
import { DomainError } from '../common/errors.js';
import { newId, type FileId } from '../common/ids.js';
import { parseUserName, type UserName } from '../common/user-name.js';
import { AppConfig } from '../config/app-config.js';
import { removeIfThere } from '../documents/collections.js';
import { DocumentStore } from '../documents/document-store.js';
import { Logins } from './logins.js';

const COLLECTION = 'invitations';
const KIND = 'dci';
const FORMAT = 1;
/** Of an account; the oldest gives way to the newest. */
const INVITATIONS_MAX = 5;

interface InvitationFields {
  readonly format: number;
  readonly accountId: FileId;
  readonly expiresAt: number;
  /** SHA-256 of the secret, in base64url. */
  readonly secretHash: string;
}

export interface MadeInvitation {
  readonly text: string;
  readonly userName: UserName;
  readonly expiresAt: number;
}

/** Invitations: who holds one may register for an account that an administrator made, once. */
@Injectable()
export class InvitationsService {
  constructor(
    private readonly config: AppConfig,
    private readonly documents: DocumentStore,
    private readonly accounts: AccountDirectory,
    private readonly logins: Logins,
  ) {}

  /** @throws DomainError `account-not-found`, `invalid-user-name`, `user-name-taken` */
  async make(accountId: FileId, signal: AbortSignal): Promise<MadeInvitation> {
    const userName = parseUserName(this.accounts.require(accountId).name);
    if ((await this.logins.find(userName, signal)) !== undefined)
      throw new DomainError('user-name-taken', 'somebody has registered under the name of this account');
    const { documents } = await this.documents.list(COLLECTION, { prefix: `${accountId}/`, limit: 2 * INVITATIONS_MAX }, signal);
    for (const { id } of documents.slice(0, Math.max(0, documents.length + 1 - INVITATIONS_MAX))) await this.remove(id, signal);
    const secret = newSecret();
    const expiresAt = Date.now() + this.config.limits.invitation_ms_max;
    const fields: InvitationFields = { format: FORMAT, accountId, expiresAt, secretHash: hashOf(secret).toString('base64url') };
    const bytes = Buffer.from(JSON.stringify(fields));
    const { id } = await this.documents.create(COLLECTION, `${accountId}/${newId<FileId>()}`, bytes, signal);
    return { text: credentialText(KIND, id, secret), userName, expiresAt };
  }

  /**
   * The account that an invitation is for. It stays valid: who registers removes it then.
   * @throws DomainError `registration-refused`, the same for all that can be wrong with it
   */
  async check(text: string, name: UserName, signal: AbortSignal): Promise<{ readonly id: FileId; readonly account: Account }> {
    const parsed = parseCredential(text);
    const document = parsed?.kind === KIND ? await this.documents.find(COLLECTION, parsed.id, signal) : undefined;
    if (parsed !== undefined && document !== undefined) {
      const { accountId, expiresAt, secretHash } = JSON.parse(Buffer.from(document.bytes).toString()) as InvitationFields;
      const isRight = timingSafeEqual(hashOf(parsed.secret), Buffer.from(secretHash, 'base64url')) && expiresAt > Date.now();
      const account = isRight ? this.accounts.get(accountId) : undefined;
      if (account !== undefined && !account.isDisabled && parseUserName(account.name) === name)
        return { id: document.id, account };
    }
    throw new DomainError('registration-refused', 'the invitation is unknown, used, expired, or for another user name');
  }

  async remove(id: FileId, signal: AbortSignal): Promise<void> {
    await removeIfThere(this.documents, COLLECTION, { id }, signal);
  }
}
