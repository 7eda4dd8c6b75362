import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { AccountId } from '../auth/account.js';
import { DomainError } from '../common/errors.js';
import { isEqual } from '../sdk/bytes.js';
import { checkGrantSignature, readGrantHead, type GrantHead } from '../sdk/grant.js';
import type { IdentityBundle } from '../sdk/identity-bundle.js';
import { checkWritersSignature, readWritersHead, type WriterEntry, type WriterRef, type WritersList } from '../sdk/writers.js';
import type { SeenNode } from './drive-reach.js';
import { invalidRecord, readSent } from './invalid-record.js';
import { checkGrants, checkSuccession, type ListBefore } from './sharing-rules.js';
import { Signers } from './signers.js';
import type { StoredSharing } from './stored-sharing.js';

type SharedNode = Pick<SeenNode, 'account' | 'id' | 'head'>;

/** Whether a node may be shared as its owner asks. */
@Injectable()
export class SharingCheck {
  constructor(private readonly signers: Signers) {}

  /**
   * What was checked before and is the same still needs no other signature: somebody else's new identity must not keep an owner from taking
   * a right away.
   * @returns who was not granted it before
   * @throws DomainError `invalid-record`, `identity-outdated`, `precondition-failed`, `folder-changed`, `sharing-limit`
   */
  async check(
    node: SharedNode,
    { wish, before }: { readonly wish: StoredSharing; readonly before: StoredSharing | undefined },
    signal: AbortSignal,
  ): Promise<readonly AccountId[]> {
    const owner = await this.signers.newest(node.account, signal);
    if (owner === undefined) throw outdated('the account has no identity');
    const list = await this.checkList(node, { writers: wish.writers, before, owner }, signal);
    const heads = wish.grants.map((bytes) => readSent('grant', () => readGrantHead(bytes)));
    checkGrants(heads, list, node.account);
    const kept = new Set(before?.grants.map(textOf));
    for (const [at, head] of heads.entries()) {
      const bytes = wish.grants[at] as Uint8Array;
      requireOfNode(head, node);
      if (!kept.has(textOf(bytes))) await this.checkNew(head, { bytes, owner }, signal);
    }
    const known = new Set(before?.grants.map((grant) => readGrantHead(grant).recipientId));
    return heads.filter(({ recipientId }) => !known.has(recipientId)).map(({ recipientId }) => recipientId as AccountId);
  }

  private async checkList(
    node: SharedNode,
    {
      writers,
      before,
      owner,
    }: { readonly writers: Uint8Array; readonly before: StoredSharing | undefined; readonly owner: IdentityBundle },
    signal: AbortSignal,
  ): Promise<WritersList> {
    const { writer, ...list } = readSent('list of writers', () => readWritersHead(writers));
    if (before !== undefined && isEqual(before.writers, writers)) return list;
    if (list.nodeId !== node.id) throw invalidRecord('the list of writers is that of another node');
    const past = before && pastOf(before);
    checkSuccession(list, past);
    requireSigner(writer, owner);
    await verified('list of writers', () => checkWritersSignature(writers, owner.verifyKey));
    for (const entry of list.entries)
      if (entry.fromRevision === list.revision) await this.requireNewest(entry, node.account, signal);
    return list;
  }

  /** A key that is not the account's would let somebody else write in its name. */
  private async requireNewest({ accountId, bundleVersion, verifyKey }: WriterEntry, owner: AccountId, signal: AbortSignal) {
    if (accountId === owner) throw invalidRecord('the owner needs no list to write');
    const newest = await this.signers.newest(accountId as AccountId, signal);
    if (newest?.version !== bundleVersion || !isEqual(newest.verifyKey, verifyKey))
      throw outdated('the list does not name the newest identity of a new writer');
  }

  private async checkNew(
    head: GrantHead,
    { bytes, owner }: { readonly bytes: Uint8Array; readonly owner: IdentityBundle },
    signal: AbortSignal,
  ): Promise<void> {
    requireSigner(head.granter, owner);
    await verified('grant', () => checkGrantSignature(bytes, owner.verifyKey));
    const recipient = await this.signers.newest(head.recipientId as AccountId, signal);
    if (recipient === undefined || !isEqual(recipient.hash, head.recipientBundle))
      throw outdated('a grant is not for the newest identity of its recipient');
  }
}

/** Grants of the next keys come first, and the record with those keys behind them: so nobody who goes is granted them for a moment. */
function requireOfNode({ nodeId, kind, generation }: GrantHead, { id, head }: SharedNode): void {
  if (nodeId !== id || kind !== head.kind) throw invalidRecord('a grant is for another node');
  if (generation !== head.generation && generation !== head.generation + 1)
    throw new DomainError('folder-changed', 'a grant is for keys of another generation than those of the node');
}

function requireSigner({ accountId, bundleVersion, list }: WriterRef, owner: IdentityBundle): void {
  if (accountId !== owner.accountId || list !== undefined) throw invalidRecord('only the owner says who may read and write');
  if (bundleVersion !== owner.version) throw outdated('it is not signed by the newest identity of the account');
}

async function verified(what: string, verify: () => Promise<void>): Promise<void> {
  try {
    await verify();
  } catch (cause) {
    throw invalidRecord(`the signature of the ${what} is not that of the owner`, cause);
  }
}

function pastOf({ writers }: StoredSharing): ListBefore {
  return { list: readWritersHead(writers), hash: hash('sha256', writers, 'buffer') };
}

function outdated(detail: string): DomainError {
  return new DomainError('identity-outdated', detail);
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
