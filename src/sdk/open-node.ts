import type { Entry } from './drive-api.js';
import type { DriveCalls, SealedNode } from './drive-calls.js';
import { formatPath, type DrivePath } from './drive-path.js';
import { isEqual } from './bytes.js';
import { openNodeRecord, type MadeRecord, type NodeAccess, type NodeRecord } from './drive-record.js';
import { SdkError } from './errors.js';
import { openList } from './opened-list.js';
import { openManifest, type MadeManifest, type RevisionManifest } from './revision-manifest.js';
import type { SeenMemory } from './seen-memory.js';
import { Writers, type Owner, type WritersList } from './writers.js';

/** Where a node was found, and by what it opens. */
export interface NodePlace {
  readonly path: DrivePath;
  /** Of the tree. */
  readonly owner: Owner;
  readonly access: NodeAccess;
  /** Absent only for a shared node, whose holder does not know the folder that it lies in. */
  readonly parentId?: string;
  /** Ids of the folders that it was found through, the nearest first; in a tree that is known up to its root, the account is the last. */
  readonly above: readonly string[];
  /** The lists of writers of those, the nearest first, as they were when the folder was opened. */
  readonly lists: readonly WritersList[];
  /** Whether a folder above has newer keys than those that what lies in it hangs on. */
  readonly isBehind?: boolean;
}

/** A node whose record, and if it is a file whose newest content, was checked. */
export interface OpenNode extends NodePlace {
  readonly id: string;
  readonly etag: string;
  readonly record: NodeRecord;
  /** Of a file. */
  readonly content: OpenContent | undefined;
}

export interface OpenContent {
  readonly manifest: RevisionManifest;
  readonly isInlined: boolean;
}

/** A file that was made here. */
export interface MadeFile {
  readonly record: MadeRecord;
  readonly manifest: MadeManifest;
}

/** Opens what the server shows, and believes none of it before: who wrote it, where it belongs, and that it is not older than what was seen. */
export class NodeOpener {
  constructor(
    private readonly calls: DriveCalls,
    private readonly seen: SeenMemory,
  ) {}

  /**
   * What opens no more, for a list of writers or a state that is older than the record, is fetched once more: between two answers others go on.
   * @throws SdkError `not-yours`, `rolled-back`, `damaged`, `not-found`
   */
  async open(sealed: SealedNode, place: NodePlace, signal: AbortSignal): Promise<OpenNode> {
    try {
      return await this.openAs(sealed, place, signal);
    } catch (error) {
      if (!isOutdated(error)) throw error;
      const [again, lists] = await Promise.all([
        this.calls.node(sealed.id, signal),
        this.lists([sealed.id, ...place.above], place.owner, signal),
      ]);
      if (again.id !== sealed.id) throw new SdkError('damaged');
      return this.openAs(again, { ...place, lists }, signal);
    }
  }

  /**
   * A file that was made here, if the server shows it as it was sent, and nothing else was ever seen of it: then opening it tells nothing that is not
   * known. Anything else is to be opened.
   */
  asMade({ id, owner, etag, record: shown, content }: SealedNode, place: NodePlace, made: MadeFile): OpenNode | undefined {
    const { record } = made.record;
    const { manifest } = made.manifest;
    const isHere = id === record.nodeId && owner === place.owner.accountId && content?.revision === manifest.revision;
    const isAsSent = isSame(shown, made.record.bytes) && isSame(content?.manifest, made.manifest.bytes);
    const isFirst = this.seen.get('node', id) === undefined && this.seen.get('content', id) === undefined;
    if (!isHere || !isAsSent || !isFirst) return undefined;
    this.seen.meet('node', id, record);
    this.seen.meet('content', id, manifest);
    return { ...place, id, etag, record, content: { manifest, isInlined: content.isInlined }, isBehind: place.isBehind === true };
  }

  /** A node as it is now, where it was found. */
  async reopen(node: OpenNode, signal: AbortSignal): Promise<OpenNode> {
    return this.open(await this.calls.node(node.id, signal), node, signal);
  }

  /**
   * The newest lists of writers of a node and the folders above it, the nearest first.
   * @param way ids of those that are known, the nearest first. If it ends below the root, what lies above is known to the server alone: its owner's
   *   lists count too, for what lies here may be signed by them.
   */
  async lists(way: readonly string[], owner: Owner, signal: AbortSignal): Promise<readonly WritersList[]> {
    const sealed = await this.calls.lists(way[0] as string, signal);
    const isWhole = way.at(-1) === owner.accountId;
    const further = isWhole ? [] : [...sealed.keys()].filter((nodeId) => !way.includes(nodeId)).reverse();
    const opened: WritersList[] = [];
    for (const nodeId of [...way, ...further]) {
      const bytes = sealed.get(nodeId);
      // A list that was there once does not go away: who was removed by it would count again.
      if (bytes === undefined && this.seen.get('writers', nodeId) !== undefined) throw new SdkError('rolled-back');
      if (bytes === undefined) continue;
      opened.push(await openList(bytes, { nodeId, owner }, this.seen));
    }
    return opened;
  }

  private async openAs(sealed: SealedNode, place: NodePlace, signal: AbortSignal): Promise<OpenNode> {
    const { access, owner, lists, parentId } = place;
    if (sealed.owner !== owner.accountId) throw new SdkError('damaged');
    const writers = new Writers(owner, lists);
    // By the list of the node itself its content may be written, and not its name or its place.
    const placers = new Writers(
      owner,
      lists.filter(({ nodeId }) => nodeId !== sealed.id),
    );
    const expected = { nodeId: sealed.id, writers: placers, ...(parentId !== undefined && { parentId }) };
    const record = await openNodeRecord(sealed.record, access, expected);
    this.seen.meet('node', sealed.id, record);
    const content = record.kind === 'file' ? await this.openContent(sealed, record, { writers, signal }) : undefined;
    const isBehind = place.isBehind === true || isUnderFormerKeys(record, access);
    return { ...place, id: sealed.id, etag: sealed.etag, record, content, isBehind };
  }

  private async openContent(
    { id, content }: SealedNode,
    record: NodeRecord,
    { writers, signal }: { readonly writers: Writers; readonly signal: AbortSignal },
  ): Promise<OpenContent> {
    if (content === undefined) throw new SdkError('damaged');
    const bytes = content.manifest ?? (await this.calls.revision(id, content.revision, signal)).manifest;
    const manifest = await openManifest(bytes, record.keys, { nodeId: id, writers });
    if (manifest.revision !== content.revision) throw new SdkError('damaged');
    this.seen.meet('content', id, manifest);
    return { manifest, isInlined: content.isInlined };
  }
}

/** How a node below an open folder is found. */
export function placeIn(folder: OpenNode, path: DrivePath): NodePlace {
  return {
    path,
    owner: folder.owner,
    access: { parentKeys: folder.record.keys },
    parentId: folder.id,
    above: [folder.id, ...folder.above],
    lists: folder.lists,
    isBehind: folder.isBehind === true,
  };
}

export function entryOf({ id, path, owner, record, content }: OpenNode): Entry {
  const { name, kind, mediaType, createdAt, modifiedAt } = record.attributes;
  return {
    id,
    name,
    kind,
    size: content?.manifest.trueSize ?? 0,
    mediaType,
    createdAt: new Date(createdAt),
    changedAt: new Date(modifiedAt),
    revision: content?.manifest.revision ?? 0,
    path: formatPath(path),
    owner: owner.accountId,
  };
}

/** Somebody may have lost the right to read the folder since: the node's key is one of those that they could open. */
function isUnderFormerKeys({ parentGeneration }: NodeRecord, access: NodeAccess): boolean {
  return 'parentKeys' in access && parentGeneration < access.parentKeys.generation;
}

function isSame(shown: Uint8Array | undefined, made: Uint8Array): boolean {
  return shown !== undefined && isEqual(shown, made);
}

function isOutdated(error: unknown): boolean {
  return error instanceof SdkError && (error.kind === 'not-yours' || error.kind === 'rolled-back');
}
