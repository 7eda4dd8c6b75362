import { Injectable } from '@nestjs/common';
import { AccountDirectory } from '../auth/account-directory.js';
import type { Credential, CredentialSource } from '../auth/credential-source.js';
import { credentialText, hashOf, newSecret } from '../auth/token.js';
import { newId, type FileId, type OwnerId } from '../common/ids.js';
import type { Principal } from '../http/principal.js';
import type { LinkedNode } from './sharing-lookup.js';

/** What such a credential begins with. */
const KIND = 'dcl';
const CREDENTIAL_MS = 3_600_000;
const CREDENTIALS_MAX = 10_000;
/** One link that very many open must not end all others. */
const CREDENTIALS_OF_LINK_MAX = 1_000;
/** Where links are for: everything else is not to be found out by one. */
const WITHIN = '/drive/nodes/';

interface LinkCredential extends Credential {
  readonly id: FileId;
  readonly linkId: FileId;
  readonly node: LinkedNode;
}

/** Opened by a link that was opened. */
export interface OpenedBy {
  readonly linkId: FileId;
  readonly node: LinkedNode;
  /** Of the link, milliseconds since 1970; undefined: never. */
  readonly expiresAt: number | undefined;
}

export interface NewCredential {
  readonly id: FileId;
  /** Nowhere kept. */
  readonly text: string;
  readonly principal: Principal;
  readonly expiresAt: number;
}

/**
 * What those read with who opened a link. In memory: whoever had one opens the link again after a restart, and one that is not here any more is
 * over at once.
 */
@Injectable()
export class LinkCredentials implements CredentialSource {
  readonly kind = KIND;
  /** The oldest first. */
  private readonly live = new Map<FileId, LinkCredential>();
  private readonly ofLinks = new Map<FileId, Set<FileId>>();
  /** By the principal itself: nothing that anybody could send makes one. */
  private readonly byPrincipal = new WeakMap<Principal, LinkCredential>();

  constructor(private readonly accounts: AccountDirectory) {}

  begin({ linkId, node, expiresAt: linkEnd = Infinity }: OpenedBy): NewCredential {
    const [id, secret] = [newId<FileId>(), newSecret()];
    const expiresAt = Math.min(Date.now() + CREDENTIAL_MS, linkEnd);
    const principal: Principal = {
      owner: `link:${linkId}` as OwnerId,
      scopes: new Set(['read']),
      prefix: '',
      credentialId: linkId,
      name: '',
      within: WITHIN,
    };
    const credential = { id, linkId, node, principal, expiresAt, hash: hashOf(secret) };
    this.live.set(id, credential);
    this.byPrincipal.set(principal, credential);
    const ofLink = this.ofLinks.get(linkId) ?? new Set<FileId>();
    this.ofLinks.set(linkId, ofLink.add(id));
    this.makeRoom(ofLink);
    return { id, text: credentialText(KIND, id, secret), principal, expiresAt };
  }

  end(id: FileId): void {
    const credential = this.live.get(id);
    if (credential === undefined) return;
    this.live.delete(id);
    const ofLink = this.ofLinks.get(credential.linkId);
    ofLink?.delete(id);
    if (ofLink?.size === 0) this.ofLinks.delete(credential.linkId);
  }

  /** Ends all that a link gave. */
  endOf(linkId: FileId): void {
    for (const id of this.ofLinks.get(linkId) ?? []) this.end(id);
  }

  /** What the credential of a request opens; undefined if it is none of a link, or over by now. */
  linkedBy(principal: Principal): LinkedNode | undefined {
    const credential = this.byPrincipal.get(principal);
    return credential && this.known(credential.id)?.node;
  }

  known(id: FileId): LinkCredential | undefined {
    const credential = this.live.get(id);
    if (credential === undefined || credential.expiresAt <= Date.now()) return undefined;
    return this.accounts.get(credential.node.account)?.isDisabled === false ? credential : undefined;
  }

  find(id: FileId): Promise<Credential | undefined> {
    return Promise.resolve(this.known(id));
  }

  accepted(): void {
    // They end at their time, however much they are used.
  }

  private makeRoom(ofLink: ReadonlySet<FileId>): void {
    const [oldest] = ofLink;
    if (ofLink.size > CREDENTIALS_OF_LINK_MAX && oldest !== undefined) this.end(oldest);
    for (const { id, expiresAt } of this.live.values()) {
      if (expiresAt > Date.now() && this.live.size <= CREDENTIALS_MAX) return;
      this.end(id);
    }
  }
}
