import type { DriveCalls } from './drive-calls.js';
import { nameTag, normalName } from './drive-name.js';
import { childPath, formatPath, isTop, splitPath, type DrivePath } from './drive-path.js';
import type { NodeAccess } from './drive-record.js';
import { SdkError } from './errors.js';
import { placeIn, type NodeOpener, type OpenNode } from './open-node.js';
import type { Owner } from './writers.js';

/** For so long a folder that was opened is taken to be where it was; what is written there is refused by the server if it is not. */
const FRESH_MS = 10_000;
const FOLDERS_MAX = 500;

/** What a path begins at. */
export interface TopNode {
  readonly id: string;
  readonly owner: Owner;
  readonly access: NodeAccess;
  /** Of the root: the account. */
  readonly parentId?: string;
}

/** Where paths begin: the own root, what was accepted of others, or what a link shows. */
export interface Tops {
  /** @param mount of `@mount/…`; undefined for `/…` @throws SdkError `not-found` */
  top(mount: string | undefined, signal: AbortSignal): Promise<TopNode>;
  /** Learns the newest keys of the account: something is signed by one that is not known. */
  refresh?(signal: AbortSignal): Promise<void>;
}

/** Finds nodes by their paths. Folders on the way stay open for a few seconds, with their keys: a hundred files go into one without asking for it again. */
export class NodeFinder {
  private readonly folders = new Map<string, { readonly node: OpenNode; readonly sinceMs: number }>();

  constructor(
    private readonly parts: { readonly calls: DriveCalls; readonly opener: NodeOpener; readonly tops: Tops },
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** @throws SdkError `not-found`, `not-a-folder` on the way; whatever opening says */
  async node(path: DrivePath, signal: AbortSignal): Promise<OpenNode> {
    if (isTop(path)) return this.top(path, signal);
    const { folder, name } = splitPath(path);
    const asked = this.now();
    const node = (await this.child(folder, name, signal)) ?? (await this.childSince(asked, folder, name, signal));
    if (node === undefined) throw new SdkError('not-found');
    return node;
  }

  /** What is there, if anything is, as far as the folder was seen a while ago. @throws SdkError `not-a-folder` on the way; whatever opening says */
  async find(path: DrivePath, signal: AbortSignal): Promise<OpenNode | undefined> {
    if (isTop(path)) return this.top(path, signal);
    const { folder, name } = splitPath(path);
    return this.child(folder, name, signal);
  }

  /** A folder to list or write in. @throws SdkError `not-found`, `not-a-folder` */
  async folder(path: DrivePath, signal: AbortSignal): Promise<OpenNode> {
    const key = formatPath(path);
    const known = this.folders.get(key);
    if (known !== undefined && this.now() - known.sinceMs < FRESH_MS) return known.node;
    return this.freshFolder(path, signal);
  }

  /** The same, as it is now. */
  async freshFolder(path: DrivePath, signal: AbortSignal): Promise<OpenNode> {
    const found = await this.node(path, signal);
    if (found.record.kind !== 'folder') throw new SdkError('not-a-folder');
    if (isTop(path)) return this.keep(found);
    const lists = await this.parts.opener.lists([found.id, ...found.above], found.owner, signal);
    return this.keep({ ...found, lists });
  }

  /** A node by the folder and its name there; undefined if there is none. */
  async child(folderPath: DrivePath, name: string, signal: AbortSignal): Promise<OpenNode | undefined> {
    const folder = await this.folder(folderPath, signal);
    try {
      return await this.childOf(folder, name, signal);
    } catch (error) {
      // Keys of a folder that was open for a while, or of its owner, can be older than those of what lies in it now.
      if (!(error instanceof SdkError && (error.kind === 'damaged' || error.kind === 'not-yours'))) throw error;
      if (error.kind === 'not-yours') await this.parts.tops.refresh?.(signal);
      this.forget();
      return this.childOf(await this.folder(folderPath, signal), name, signal);
    }
  }

  /** Once more, if the folder was open already: another device may have given it a new key since, by which all names are tagged. */
  private async childSince(
    sinceMs: number,
    folderPath: DrivePath,
    name: string,
    signal: AbortSignal,
  ): Promise<OpenNode | undefined> {
    const key = formatPath(folderPath);
    if ((this.folders.get(key)?.sinceMs ?? sinceMs) >= sinceMs) return undefined;
    this.folders.delete(key);
    return this.child(folderPath, name, signal);
  }

  /** After somebody changed a folder, or we did: nothing is taken to be where it was. */
  forget(): void {
    this.folders.clear();
  }

  private async childOf(folder: OpenNode, name: string, signal: AbortSignal): Promise<OpenNode | undefined> {
    const wanted = normalName(name);
    const { keys } = folder.record;
    // What was not written since the folder has another key is still tagged under the one before.
    for (let generation = keys.generation; generation > 0; generation -= 1) {
      const tag = await nameTag(keys.at(generation), wanted);
      const { nodes } = await this.parts.calls.children(folder.id, { nameTag: tag }, signal);
      const [sealed] = nodes;
      if (sealed === undefined) continue;
      const node = await this.parts.opener.open(sealed, placeIn(folder, childPath(folder.path, wanted)), signal);
      if (node.record.attributes.name !== wanted) throw new SdkError('damaged');
      return node;
    }
    return undefined;
  }

  private async top({ mount, ...path }: DrivePath, signal: AbortSignal): Promise<OpenNode> {
    const { opener, calls, tops } = this.parts;
    const { id, owner, access, parentId } = await tops.top(mount, signal);
    const above = parentId === undefined ? [] : [parentId];
    const [sealed, lists] = await Promise.all([calls.node(id, signal), opener.lists([id, ...above], owner, signal)]);
    if (sealed.id !== id) throw new SdkError('damaged');
    const at = { ...path, ...(mount !== undefined && { mount }) };
    const place = { path: at, owner, access, above, lists, ...(parentId !== undefined && { parentId }) };
    return opener.open(sealed, place, signal);
  }

  private keep(node: OpenNode): OpenNode {
    const key = formatPath(node.path);
    this.folders.delete(key);
    this.folders.set(key, { node, sinceMs: this.now() });
    const [oldest] = this.folders.keys();
    if (this.folders.size > FOLDERS_MAX && oldest !== undefined) this.folders.delete(oldest);
    return node;
  }
}
