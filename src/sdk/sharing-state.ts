import { meetAcknowledged } from './acknowledged.js';
import { isEqual, type Bytes } from './bytes.js';
import type { KnownPerson } from './contact-book.js';
import type { DriveSession } from './drive-session.js';
import { SdkError } from './errors.js';
import { checkGrant, makeGrant, type GrantHead, type Rights } from './grant.js';
import type { NodeKeys } from './drive-keys.js';
import type { NodeRecord } from './drive-record.js';
import { SharingApi, type SealedSharing } from './sharing-api.js';
import { openList, type OpenedList } from './opened-list.js';
import { NO_HASH } from './succession.js';
import { makeWritersList, type WriterEntry } from './writers.js';

/** Somebody to whom a node is granted now. */
export interface Recipient {
  readonly accountId: string;
  readonly rights: Rights;
}

interface OwnGrant {
  readonly head: GrantHead;
  readonly bytes: Bytes;
}

/** How an own node is shared, opened and checked. */
export interface SharingState {
  readonly sealed: SealedSharing;
  readonly list: OpenedList | undefined;
  readonly grants: readonly OwnGrant[];
}

/**
 * @param generation of the node's keys: a grant of an earlier one was revoked, or is shown again by a server that does not want it to be
 * @throws SdkError `damaged`, `not-yours`, `rolled-back`
 */
export async function readSharing(
  session: DriveSession,
  { nodeId, keys: { generation } }: NodeRecord,
  signal: AbortSignal,
): Promise<SharingState> {
  const sealed = await new SharingApi(session.transport).sharing(nodeId, signal);
  const { owner } = session.keys;
  const list = sealed.writers === undefined ? undefined : await openList(sealed.writers, { nodeId, owner }, session.seen);
  if (list === undefined && session.seen.get('writers', nodeId) !== undefined) throw new SdkError('rolled-back');
  const grants: OwnGrant[] = [];
  for (const bytes of sealed.grants) {
    const head = await checkGrant(bytes, owner);
    if (head.nodeId !== nodeId) throw new SdkError('damaged');
    if (head.generation >= generation) grants.push({ head, bytes });
  }
  return { sealed, list, grants };
}

/** Who may read, and who may write too: that the list of writers says, for an older grant could be shown again. */
export function recipientsOf({ list, grants }: SharingState): readonly Recipient[] {
  const isWriter = (id: string): boolean =>
    list?.entries.some(({ accountId, toRevision }) => accountId === id && toRevision === undefined) === true;
  return grants.map(({ head: { recipientId } }) => ({
    accountId: recipientId,
    rights: isWriter(recipientId) ? 'write' : 'read',
  }));
}

/** Whether grants were made for keys that the node has not got: a change that was broken off after its first step. */
export function isUnfinished({ grants }: SharingState, { keys }: NodeRecord): boolean {
  return grants.some(({ head }) => head.generation > keys.generation);
}

export interface NextSharing {
  readonly recipients: readonly Recipient[];
  /** Which the recipients are given: those of the node, or those that it gets next. */
  readonly keys: NodeKeys;
}

/**
 * Replaces how a node is shared, in one step: the list of writers follows from the recipients, and each of them gets a grant of these keys to its
 * newest pinned bundle. Grants that are so already are kept.
 * @throws SdkError `conflict` if another device was faster, `identity-changed`
 */
export async function writeSharing(
  session: DriveSession,
  node: NodeRecord,
  { before, next }: { readonly before: SharingState; readonly next: NextSharing },
  signal: AbortSignal,
): Promise<void> {
  const people = new Map<string, KnownPerson>();
  for (const { accountId } of next.recipients)
    people.set(accountId, await session.contacts.meet({ accountId, isFresh: true }, signal));
  const entries = nextEntries(before.list, next.recipients, people);
  // Of a key that was never given out: a grant of its generation is one of another key, of a change that was broken off.
  const isNew = next.keys.generation > node.keys.generation;
  const grants: Bytes[] = [];
  for (const recipient of next.recipients) {
    const granting = { recipient, person: people.get(recipient.accountId) as KnownPerson, keys: next.keys };
    const kept = isNew ? undefined : keptGrant(session, before, granting);
    grants.push(kept ?? (await newGrant(session, node, granting, signal)));
  }
  const change = {
    writers: await nextList(session, node.nodeId, before.list, entries),
    grants,
    etag: before.list === undefined ? undefined : before.sealed.etag,
  };
  await new SharingApi(session.transport).putSharing(node.nodeId, change, signal);
  await meetAcknowledged(session.seen, { writers: change.writers });
}

interface Granting {
  readonly recipient: Recipient;
  readonly person: KnownPerson;
  readonly keys: NodeKeys;
}

function keptGrant(session: DriveSession, { grants }: SharingState, { recipient, person, keys }: Granting): Bytes | undefined {
  return grants.find(
    ({ head }) =>
      head.recipientId === recipient.accountId &&
      head.rights === recipient.rights &&
      head.generation === keys.generation &&
      head.granter.bundleVersion === session.keys.identity.version &&
      isEqual(head.recipientBundle, person.bundle.hash),
  )?.bytes;
}

async function newGrant(
  session: DriveSession,
  { nodeId, kind }: NodeRecord,
  { recipient, person, keys }: Granting,
  signal: AbortSignal,
): Promise<Bytes> {
  const grantId = await session.ids.take(signal);
  const { rights } = recipient;
  const draft = { grantId, nodeId, kind, generation: keys.generation, rights, nodeKey: keys.current };
  return makeGrant(draft, session.keys.identity, person.bundle);
}

async function nextList(
  session: DriveSession,
  nodeId: string,
  before: OpenedList | undefined,
  entries: readonly WriterEntry[],
): Promise<Bytes> {
  const list = { nodeId, revision: (before?.revision ?? 0) + 1, previousHash: before?.hash ?? NO_HASH, entries };
  return makeWritersList(list, session.keys.identity);
}

/** The entries that go on, those that are closed and those that are new. */
function nextEntries(
  before: OpenedList | undefined,
  recipients: readonly Recipient[],
  people: ReadonlyMap<string, KnownPerson>,
): readonly WriterEntry[] {
  const old = before?.entries ?? [];
  const revision = before?.revision ?? 0;
  const writers = recipients.filter(({ rights }) => rights === 'write').map(({ accountId }) => bundleOf(people, accountId));
  const isWriter = (entry: WriterEntry): boolean =>
    writers.some(({ accountId, version }) => accountId === entry.accountId && version === entry.bundleVersion);
  const isOpen = ({ toRevision }: WriterEntry): boolean => toRevision === undefined;
  const kept = old.map((entry) => (isOpen(entry) && !isWriter(entry) ? { ...entry, toRevision: revision } : entry));
  const isListed = (accountId: string, version: number): boolean =>
    old.some((entry) => isOpen(entry) && entry.accountId === accountId && entry.bundleVersion === version);
  const added = writers
    .filter(({ accountId, version }) => !isListed(accountId, version))
    .map(({ accountId, version, verifyKey }) => ({ accountId, bundleVersion: version, verifyKey, fromRevision: revision + 1 }));
  return [...kept, ...added];
}

function bundleOf(people: ReadonlyMap<string, KnownPerson>, accountId: string): KnownPerson['bundle'] {
  const person = people.get(accountId);
  if (person === undefined) throw new SdkError('damaged');
  return person.bundle;
}
