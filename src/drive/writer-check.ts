import { Injectable } from '@nestjs/common';
import type { AccountId } from '../auth/account.js';
import { DomainError } from '../common/errors.js';
import { isEqual } from '../sdk/bytes.js';
import type { IdentityBundle } from '../sdk/identity-bundle.js';
import type { WriterEntry, WriterRef } from '../sdk/writers.js';
import type { NodeStep, Reach } from './drive-reach.js';
import { invalidRecord } from './invalid-record.js';
import { Signers } from './signers.js';

/** Something signed whose head was read. */
export interface SignedThing {
  readonly writer: WriterRef;
  /** Fails if it is not what the holder of this key signed. */
  readonly verify: (verifyKey: Uint8Array) => Promise<void>;
}

/** Where something is written. */
export interface WritingPlace {
  /** The owner of the tree. */
  readonly account: AccountId;
  /** Whose lists count: the node whose content it is, or the folder that a record lies in, and all above it; the nearest first. */
  readonly way: readonly Pick<NodeStep, 'id' | 'sharing'>[];
  /** The node itself, for a record: its owner names its list, and nobody may change a record by that. */
  readonly own?: Pick<NodeStep, 'id' | 'sharing'>;
}

/** Whether something may be written: who signed it, who asks, and whether that one may there. */
@Injectable()
export class WriterCheck {
  constructor(readonly signers: Signers) {}

  /**
   * @returns who asks
   * @throws DomainError `forbidden` for who may only read there, `invalid-record` for another's name or a wrong signature, `identity-outdated`,
   *   `writers-changed`
   */
  async check(signed: SignedThing, reach: Reach, place: WritingPlace, signal: AbortSignal): Promise<AccountId> {
    const caller = this.requireWriter(reach, place);
    const { accountId, bundleVersion } = signed.writer;
    if (accountId !== caller) throw invalidRecord('it names another writer than who sends it');
    const bundle = await this.signers.newest(caller, signal);
    if (bundle?.version !== bundleVersion)
      throw new DomainError('identity-outdated', 'it is not signed by the newest identity of the account');
    requireList(signed.writer, place, bundle);
    await verified(signed, bundle);
    return caller;
  }

  /** What needs no signature: to remove something, to begin an upload. @returns who asks @throws DomainError `forbidden` */
  requireWriter(reach: Reach, place: WritingPlace): AccountId {
    if (reach.by === 'link') throw new DomainError('forbidden', 'a link is for reading');
    const { caller } = reach;
    const isWriter = caller === place.account || place.way.some(({ sharing }) => entriesOf(sharing, caller).length > 0);
    if (!isWriter) throw new DomainError('forbidden', 'it was shared with you for reading');
    return caller;
  }
}

function requireList(writer: WriterRef, { account, way, own }: WritingPlace, bundle: IdentityBundle): void {
  const isOwner = writer.accountId === account;
  const counting = isOwner
    ? [own, ...way].filter((step) => step?.sharing !== undefined).slice(0, 1)
    : way.filter(({ sharing }) => entriesOf(sharing, writer.accountId).some((entry) => isKeyOf(entry, bundle)));
  const { list } = writer;
  if (isOwner && counting.length === 0 && list === undefined) return;
  if (!isOwner && counting.length === 0) throw new DomainError('forbidden', 'no list of writers names your newest identity');
  const isNamed = counting.some((step) => step?.id === list?.nodeId && step?.sharing?.revision === list?.revision);
  if (!isNamed) throw new DomainError('writers-changed', 'it does not name the newest list of writers that counts there');
}

/** Entries by which somebody may write still. */
function entriesOf(sharing: NodeStep['sharing'], account: string): readonly WriterEntry[] {
  return sharing?.entries.filter(({ accountId, toRevision }) => accountId === account && toRevision === undefined) ?? [];
}

function isKeyOf(entry: WriterEntry, bundle: IdentityBundle): boolean {
  return entry.bundleVersion === bundle.version && isEqual(entry.verifyKey, bundle.verifyKey);
}

async function verified({ verify }: SignedThing, { verifyKey }: IdentityBundle): Promise<void> {
  try {
    await verify(verifyKey);
  } catch (cause) {
    throw invalidRecord('its signature is not that of who sends it', cause);
  }
}
