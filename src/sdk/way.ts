import { DriveCalls, type SealedPath } from './drive-calls.js';
import { openNodeRecord, type NodeRecord } from './drive-record.js';
import type { DriveSession } from './drive-session.js';
import { SdkError } from './errors.js';
import { rootParentKeys } from './key-change.js';
import { openList, type OpenedList } from './opened-list.js';
import { Writers, type WriterRef } from './writers.js';

/** Children asked for at a time. */
const PAGE = 500;

/** A node that was opened, as it is on the server now. */
export interface WayNode {
  readonly record: NodeRecord;
  /** Of the node: for the next change of it. */
  readonly etag: string;
}

/** How an own node is reached: everything from the root down to it, each opened by the keys of the one above. */
export interface Way {
  /** The root first; never empty. */
  readonly nodes: readonly WayNode[];
  /** The newest lists of writers on the way, by the node that they are of. */
  readonly lists: ReadonlyMap<string, OpenedList>;
}

/**
 * Fetches and opens a node of the account's own with all that is above it, anew: what changes keys must not go by what was true a while ago.
 * @throws SdkError `not-found`, `damaged`, `not-yours`, `rolled-back`
 */
export async function openOwnWay(session: DriveSession, nodeId: string, signal: AbortSignal): Promise<Way> {
  try {
    return await openBy(session, nodeId, signal);
  } catch (error) {
    if (!(error instanceof SdkError) || error.kind !== 'not-yours') throw error;
    await session.refresh(signal); // another device may have changed the identity
    return openBy(session, nodeId, signal);
  }
}

async function openBy(session: DriveSession, nodeId: string, signal: AbortSignal): Promise<Way> {
  const { owner, master } = session.keys;
  const sealed = await new DriveCalls(session.transport).path(nodeId, signal);
  const lists = await openLists(session, sealed);
  let above = { nodeId: session.account.id, keys: await rootParentKeys(master) };
  const nodes: WayNode[] = [];
  for (const { id, record: bytes, etag } of sealed.nodes) {
    // Of the folders above alone: who may write further below, or to the node itself, may not write here.
    const writers = new Writers(owner, listsOf(nodes, lists));
    const expected = { nodeId: id, parentId: above.nodeId, writers };
    const record = await openNodeRecord(bytes, { parentKeys: above.keys }, expected);
    nodes.push({ record, etag });
    above = record;
  }
  if (above.nodeId !== nodeId) throw new SdkError('damaged');
  for (const { record } of nodes) session.seen.meet('node', record.nodeId, record);
  return { nodes, lists };
}

export function lastOf({ nodes }: Way): WayNode {
  return nodes.at(-1) as WayNode;
}

/** The nodes of a folder, each opened. @param way to the folder */
export async function* openChildren(
  session: DriveSession,
  way: Way,
  signal: AbortSignal,
): AsyncGenerator<WayNode, void, undefined> {
  const folder = lastOf(way).record;
  const writers = new Writers(session.keys.owner, listsOf(way.nodes, way.lists));
  const calls = new DriveCalls(session.transport);
  let cursor: string | undefined;
  do {
    const page = await calls.children(folder.nodeId, { cursor, limit: PAGE }, signal);
    for (const { id, record: bytes, etag } of page.nodes) {
      const expected = { nodeId: id, parentId: folder.nodeId, writers };
      const record = await openNodeRecord(bytes, { parentKeys: folder.keys }, expected);
      session.seen.meet('node', id, record);
      yield { record, etag };
    }
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}

/** Who signs for a change of the last node of a way: the owner names the list that is nearest, as nobody may date back behind it. */
export function ownWriter(session: DriveSession, way: Way): WriterRef {
  const nearest = way.nodes.findLast(({ record }) => way.lists.has(record.nodeId))?.record.nodeId;
  const list = nearest === undefined ? undefined : way.lists.get(nearest);
  return list === undefined ? session.writer : { ...session.writer, list: { nodeId: list.nodeId, revision: list.revision } };
}

/** Of the nodes of a way and no others, whatever the server shows with them. */
async function openLists(
  { keys: { owner }, seen }: DriveSession,
  { nodes, lists: sealed }: SealedPath,
): Promise<ReadonlyMap<string, OpenedList>> {
  const lists = new Map<string, OpenedList>();
  for (const { id: nodeId } of nodes) {
    const bytes = sealed.get(nodeId);
    // A list that was there once does not go away: who was removed by it would count again, or not be removed by the next one.
    if (bytes === undefined && seen.get('writers', nodeId) !== undefined) throw new SdkError('rolled-back');
    if (bytes !== undefined) lists.set(nodeId, await openList(bytes, { nodeId, owner }, seen));
  }
  return lists;
}

function listsOf(nodes: readonly WayNode[], lists: ReadonlyMap<string, OpenedList>): readonly OpenedList[] {
  return nodes.flatMap(({ record }) => lists.get(record.nodeId) ?? []);
}
