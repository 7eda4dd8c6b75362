import type { AccountKeys } from './drive-session.js';
import type { DriveCalls } from './drive-calls.js';
import { SdkError } from './errors.js';
import type { FloeBackEnd } from './floe-back-end.js';
import type { IdPool } from './id-pool.js';
import type { NodeFinder } from './node-finder.js';
import type { NodeOpener, OpenNode } from './open-node.js';
import type { SeenMemory } from './seen-memory.js';
import type { WriterRef, WritersList } from './writers.js';

/** What reading a tree needs: an account's, what was shared, or what a link shows. */
export interface ReadContext {
  readonly calls: DriveCalls;
  readonly opener: NodeOpener;
  readonly finder: NodeFinder;
  readonly seen: SeenMemory;
  readonly floe: FloeBackEnd;
}

/** What writing needs as well: an account. */
export interface WriteContext extends ReadContext {
  readonly ids: IdPool;
  /** Of now: they may be replaced between two calls. */
  keys(): AccountKeys;
  /** Reads them anew: another device changed them. */
  refresh(signal: AbortSignal): Promise<void>;
  /** Renews keys that somebody has who lost the right to read. @returns whether it had to: what was opened before is old then */
  renewed(context: WriteContext, node: OpenNode, signal: AbortSignal): Promise<boolean>;
  /** Milliseconds since 1970. */
  now(): number;
}

const ATTEMPTS_MAX = 5;

/** What the server says when something was changed meanwhile, so that the same can be tried with what is there now. */
const CHANGED: readonly (string | undefined)[] = [
  'precondition-failed',
  'writers-changed',
  'folder-changed',
  'identity-outdated',
];

/** An answer that was lost: whether the change was made, the next attempt finds out. */
export interface Attempt {
  readonly isRepeated: boolean;
}

/**
 * Makes a change by compare-and-set, again with what is there now if only that was in its way, or if the answer was lost.
 * @param attempt finds what it changes anew each time
 * @throws SdkError `conflict` if others are always faster, `in-doubt` if the answer was lost and it cannot be found out what became of the change
 */
export async function changing<Result>(
  context: WriteContext,
  signal: AbortSignal,
  attempt: (attempt: Attempt) => Promise<Result>,
): Promise<Result> {
  let isRepeated = false;
  for (let attempts = 1; ; attempts += 1) {
    signal.throwIfAborted();
    try {
      return await attempt({ isRepeated });
    } catch (error) {
      if (!(error instanceof SdkError) || attempts === ATTEMPTS_MAX) throw error;
      if (!isWorthAnother(error, attempts)) throw isRepeated ? stillInDoubt(error) : error;
      isRepeated ||= error.kind === 'in-doubt';
      if (error.code === 'identity-outdated') await context.refresh(signal);
      context.finder.forget();
    }
  }
}

function isWorthAnother({ kind, code }: SdkError, attempts: number): boolean {
  // Without a code it is our own judgement, by a list of writers that may be a few seconds old.
  const isByOldList = kind === 'forbidden' && code === undefined && attempts === 1;
  return kind === 'in-doubt' || isByOldList || CHANGED.includes(code);
}

/** That nothing was done now says nothing about the time before. */
function stillInDoubt(error: SdkError): SdkError {
  return error.kind === 'unavailable' ? new SdkError('in-doubt', { cause: error }) : error;
}

/** Does what needs new ids, and once more if the server has forgotten which it gave out, as it does when it starts. */
export async function withNewIds<Result>({ ids }: WriteContext, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SdkError && error.code === 'id-not-issued')) throw error;
    ids.forget();
    return work();
  }
}

/**
 * Finds a node that is about to be changed, with the newest lists that count for it: it may be shared by itself.
 * @param find gives undefined if there is none
 */
export function nodeUpToDate<Found extends OpenNode>(
  context: WriteContext,
  find: () => Promise<Found | undefined>,
  signal: AbortSignal,
): Promise<Found | undefined> {
  const listed = async (): Promise<Found | undefined> => {
    const node = await find();
    return node && { ...node, ...(await withLists(context, node, signal)) };
  };
  return upToDate(context, listed, signal);
}

/**
 * Finds what is about to be written, or written in, under keys that nobody has who lost the right to read.
 * @param find is called again if they had to be renewed
 */
export async function upToDate<Found extends OpenNode | undefined>(
  context: WriteContext,
  find: () => Promise<Found>,
  signal: AbortSignal,
): Promise<Found> {
  const found = await find();
  if (found === undefined || !(await context.renewed(context, found, signal))) return found;
  context.finder.forget();
  return find();
}

/**
 * Who signs what is written here: by the newest list that is known.
 * @param lists of the node itself if it is its content, or the owner's record, that is written, and of the folders above; the nearest first
 * @throws SdkError `forbidden` if no list names the account
 */
export function writerIn({ identity }: AccountKeys, owner: string, lists: readonly WritersList[]): WriterRef {
  const { accountId, version } = identity;
  const by = { accountId, bundleVersion: version };
  const isOwner = accountId === owner;
  const list = isOwner ? lists[0] : lists.find((some) => isNamed(some, by));
  if (list === undefined && !isOwner) throw new SdkError('forbidden');
  return list === undefined ? by : { ...by, list: { nodeId: list.nodeId, revision: list.revision } };
}

/** The writer of something new in a folder. */
export function writerInFolder(keys: AccountKeys, { owner, lists }: OpenNode): WriterRef {
  return writerIn(keys, owner.accountId, lists);
}

/** The node with the newest lists that count for it, its own among them. */
export async function withLists({ opener }: ReadContext, node: OpenNode, signal: AbortSignal): Promise<OpenNode> {
  return { ...node, lists: await opener.lists([node.id, ...node.above], node.owner, signal) };
}

function isNamed({ entries }: WritersList, { accountId, bundleVersion }: WriterRef): boolean {
  return entries.some(
    (entry) => entry.accountId === accountId && entry.bundleVersion === bundleVersion && entry.toRevision === undefined,
  );
}
