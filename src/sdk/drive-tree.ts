import { isEqual } from './bytes.js';
import type { CallOptions, Entry, TreeCalls } from './drive-api.js';
import { changing, nodeUpToDate, upToDate, withNewIds, type WriteContext } from './drive-context.js';
import { NodeKeys } from './drive-keys.js';
import { normalName } from './drive-name.js';
import { childPath, parsePath, splitPath, type DrivePath } from './drive-path.js';
import { SdkError } from './errors.js';
import { entryOf, type OpenNode } from './open-node.js';
import { newRecord, openAnswer, writeRecord } from './record-writer.js';
import { listsLeft, ReSigning, type Leaving } from './re-signing.js';
import { TreeReader } from './tree-reader.js';
import { signalOf } from './signal-of.js';

/** Where something lies, or is to lie. */
interface Spot {
  readonly folder: DrivePath;
  readonly name: string;
}

/** Names and places: what an account can do with the tree, its own or one that was shared. */
export class DriveTree implements TreeCalls {
  private readonly reader: TreeReader;

  constructor(private readonly context: WriteContext) {
    this.reader = new TreeReader(context);
  }

  stat(path: string, options?: CallOptions): Promise<Entry> {
    return this.reader.stat(path, options);
  }

  list(path: string, options?: CallOptions): AsyncIterable<Entry> {
    return this.reader.list(path, options);
  }

  /** With `parents`, a folder that is there already is as good as a new one, and so are those on the way. */
  async mkdir(path: string, options: CallOptions & { readonly parents?: boolean } = {}): Promise<Entry> {
    const signal = signalOf(options);
    const wanted = parsePath(path);
    const { finder } = this.context;
    if (options.parents !== true) {
      const { folder, name } = splitPath(wanted);
      return entryOf(await this.makeFolder(folder, name, signal));
    }
    let at: DrivePath = { ...wanted, names: [] };
    for (const name of wanted.names) {
      const known = await finder.child(at, name, signal);
      if (known !== undefined && known.record.kind !== 'folder') throw new SdkError('not-a-folder');
      if (known === undefined) await this.makeFolderOrFind(at, name, signal);
      at = childPath(at, name);
    }
    return entryOf(await finder.folder(at, signal));
  }

  async rename(path: string, newName: string, options: CallOptions = {}): Promise<Entry> {
    const { folder, name } = splitPath(parsePath(path));
    return this.moveTo({ folder, name }, { folder, name: normalName(newName) }, signalOf(options));
  }

  async move(path: string, intoFolder: string, options: CallOptions = {}): Promise<Entry> {
    const { folder, name } = splitPath(parsePath(path));
    const into = parsePath(intoFolder);
    if (into.mount !== folder.mount) throw new SdkError('forbidden'); // keys and writers of one tree mean nothing in another one
    return this.moveTo({ folder, name }, { folder: into, name }, signalOf(options));
  }

  async remove(path: string, options: CallOptions = {}): Promise<void> {
    const signal = signalOf(options);
    const wanted = parsePath(path);
    splitPath(wanted); // the top is not removed
    await changing(this.context, signal, async ({ isRepeated }) => {
      const node = await this.context.finder.node(wanted, signal).catch((error: unknown) => {
        if (isRepeated && isKind(error, 'not-found')) return undefined; // the answer that was lost was a good one
        throw error;
      });
      if (node === undefined) return;
      await this.context.calls.removeNode(node.id, node.etag, signal);
      for (const kind of ['node', 'content', 'writers'] as const) this.context.seen.forget(kind, node.id);
    });
    this.context.finder.forget();
  }

  private async moveTo(from: Spot, to: Spot, signal: AbortSignal): Promise<Entry> {
    const reSigning = new ReSigning(this.context);
    let id: string | undefined;
    const done = await changing(this.context, signal, async ({ isRepeated }): Promise<Leaving> => {
      const { finder } = this.context;
      const node = await nodeUpToDate(this.context, () => finder.child(from.folder, from.name, signal), signal);
      if (node === undefined) {
        const moved = isRepeated ? await finder.child(to.folder, to.name, signal) : undefined;
        if (moved === undefined || moved.id !== id) throw new SdkError('not-found');
        return { node: moved, left: [] };
      }
      id = node.id;
      const folder = await upToDate(this.context, () => finder.folder(to.folder, signal), signal);
      if ([folder.id, ...folder.above].includes(node.id)) throw new SdkError('folder-in-itself');
      const left = listsLeft(node, folder);
      if (left.length > 0) await reSigning.before({ node, left }, signal);
      const now = left.length > 0 ? await this.context.opener.reopen(node, signal) : node;
      const own = node.lists.filter(({ nodeId }) => nodeId === node.id);
      // Somebody cannot read it any more who could: then it gets a new key, as after a revocation; but not if others have its key by grants of its own.
      const keys = left.length > 0 && own.length === 0 ? now.record.keys.next() : now.record.keys;
      const moved = await writeRecord(this.context, now, { folder, attributes: { name: to.name }, keys }, signal);
      if (node.record.kind === 'folder') finder.forget();
      return { node: { ...moved, lists: [...own, ...moved.lists] }, left };
    });
    if (done.left.length > 0) await reSigning.after(done, signal);
    return entryOf(done.node);
  }

  private async makeFolderOrFind(at: DrivePath, name: string, signal: AbortSignal): Promise<void> {
    try {
      await this.makeFolder(at, name, signal);
    } catch (error) {
      if (!isKind(error, 'exists')) throw error; // somebody else made it meanwhile, or something else of this name
    }
  }

  private makeFolder(at: DrivePath, name: string, signal: AbortSignal): Promise<OpenNode> {
    return withNewIds(this.context, () => this.makeFolderWithIds(at, name, signal));
  }

  private makeFolderWithIds(at: DrivePath, name: string, signal: AbortSignal): Promise<OpenNode> {
    const made: NodeKeys[] = [];
    return changing(this.context, signal, async () => {
      const { finder, ids, calls } = this.context;
      const folder = await upToDate(this.context, () => finder.folder(at, signal), signal);
      const id = await ids.take(signal);
      const time = this.context.now();
      const attributes = { name: normalName(name), kind: 'folder', createdAt: time, modifiedAt: time, mediaType: '' } as const;
      const keys = NodeKeys.fresh();
      made.push(keys);
      const { bytes: record } = await newRecord(this.context, folder, { id, keys, attributes });
      try {
        const sealed = await calls.createNode({ record }, signal);
        return await openAnswer(this.context, { sealed, id, name: attributes.name, sent: { record } }, folder, signal);
      } catch (error) {
        const there = isKind(error, 'exists') ? await finder.child(at, name, signal) : undefined;
        // Made by an attempt whose answer was lost: that its key tells, for ids are the server's.
        const isOurs = made.some(({ current }) => there !== undefined && isEqual(current, there.record.keys.current));
        if (there === undefined || !isOurs) throw error;
        return there;
      }
    });
  }
}

export function isKind(error: unknown, kind: SdkError['kind']): error is SdkError {
  return error instanceof SdkError && error.kind === kind;
}
