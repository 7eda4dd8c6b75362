import type { CallOptions, Entry } from './drive-api.js';
import type { SealedNode } from './drive-calls.js';
import type { ReadContext } from './drive-context.js';
import { childPath, parsePath } from './drive-path.js';
import { SdkError } from './errors.js';
import { entryOf, placeIn, type NodePlace, type OpenNode } from './open-node.js';
import { signalOf } from './signal-of.js';

/** The first page is a small one, so that there is soon something to see. */
const FIRST_PAGE = 100;
const PAGE = 500;

interface ChildrenPage {
  readonly nodes: readonly SealedNode[];
  readonly nextCursor: string | undefined;
}

/** Looks at a tree. */
export class TreeReader {
  constructor(private readonly context: ReadContext) {}

  async stat(path: string, options?: CallOptions): Promise<Entry> {
    return entryOf(await this.context.finder.node(parsePath(path), signalOf(options)));
  }

  /** What lies in a folder, in no order that means anything. While some are opened the next ones come. */
  async *list(path: string, options: CallOptions = {}): AsyncGenerator<Entry, void, undefined> {
    for await (const nodes of this.pages(path, options)) for (const node of nodes) yield entryOf(node);
  }

  /** The same, open, page by page: for who goes on with the nodes. */
  async *pages(path: string, { signal }: CallOptions = {}): AsyncGenerator<readonly OpenNode[], void, undefined> {
    const ended = new AbortController();
    const either = signal === undefined ? ended.signal : AbortSignal.any([signal, ended.signal]);
    try {
      yield* childrenOf(this.context, await this.context.finder.freshFolder(parsePath(path), either), either);
    } finally {
      ended.abort();
    }
  }
}

/** What lies in an open folder, page by page; the next one is fetched while one is opened. @param folder with the lists that count in it */
export async function* childrenOf(
  context: ReadContext,
  folder: OpenNode,
  signal: AbortSignal,
): AsyncGenerator<readonly OpenNode[], void, undefined> {
  const fetch = (cursor?: string): Promise<ChildrenPage> =>
    context.calls.children(folder.id, { cursor, limit: cursor === undefined ? FIRST_PAGE : PAGE }, signal);
  let next: Promise<ChildrenPage> | undefined = fetch();
  while (next !== undefined) {
    const { nodes, nextCursor }: ChildrenPage = await next;
    next = nextCursor === undefined ? undefined : fetch(nextCursor);
    next?.catch(() => undefined); // seen when it is awaited
    const opened = await Promise.all(nodes.map((sealed) => openChild(context, folder, { sealed, signal })));
    yield opened.filter((node) => node !== undefined);
  }
}

async function openChild(
  { opener }: ReadContext,
  folder: OpenNode,
  { sealed, signal }: { readonly sealed: SealedNode; readonly signal: AbortSignal },
): Promise<OpenNode | undefined> {
  // The name is not known before the record is open.
  const place: NodePlace = placeIn(folder, folder.path);
  try {
    const node = await opener.open(sealed, place, signal);
    return { ...node, path: childPath(folder.path, node.record.attributes.name) };
  } catch (error) {
    if (error instanceof SdkError && error.kind === 'not-found') return undefined; // removed since the page came
    throw error;
  }
}
