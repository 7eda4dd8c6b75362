import type { CallOptions, ContentCalls, Entry, LinkView, TreeCalls } from './drive-api.js';
import { DriveCalls } from './drive-calls.js';
import type { ReadContext } from './drive-context.js';
import { FileReader } from './drive-content.js';
import { readNodeHead } from './drive-record.js';
import { SdkError } from './errors.js';
import type { FloeBackEnd } from './floe-back-end.js';
import { LinkAccess, type LinkedNode } from './link-access.js';
import { NodeFinder, type TopNode } from './node-finder.js';
import { NodeOpener } from './open-node.js';
import type { PasswordHash } from './password-cost.js';
import { SeenMemory } from './seen-memory.js';
import { signalOf } from './signal-of.js';
import { TreeReader } from './tree-reader.js';
import type { Transport } from './transport.js';

/** What a link is opened with. */
export interface LinkEquipment {
  readonly floe: FloeBackEnd;
  readonly passwordHash?: PasswordHash | undefined;
}

/** What a link shows: a node and everything below it, for reading, as it is now. */
export class OpenedLinkView implements LinkView {
  private constructor(
    readonly entry: Entry,
    private readonly tree: Pick<TreeCalls, 'stat' | 'list'>,
    private readonly content: Pick<ContentCalls, 'download'>,
  ) {}

  /** @throws SdkError `invalid-link`, `link-over`, `wrong-key` */
  static async open(
    transport: Transport,
    { floe, passwordHash }: LinkEquipment,
    { url, password, ...options }: CallOptions & { readonly url: string; readonly password?: string },
  ): Promise<OpenedLinkView> {
    const signal = signalOf(options);
    const given = { url, ...(password !== undefined && { password }), ...(passwordHash !== undefined && { passwordHash }) };
    const { access, node } = await LinkAccess.open(transport, given, signal);
    const context = contextOf(access, node, floe);
    const tree = new TreeReader(context);
    await assertCurrent(context, node, signal);
    return new OpenedLinkView(await tree.stat('/', { signal }), tree, new FileReader(context));
  }

  stat(path: string, options?: CallOptions): Promise<Entry> {
    return this.tree.stat(path, options);
  }

  list(path: string, options?: CallOptions): AsyncIterable<Entry> {
    return this.tree.list(path, options);
  }

  download(...args: Parameters<ContentCalls['download']>): ReturnType<ContentCalls['download']> {
    return this.content.download(...args);
  }
}

/** The key of a link is that of the time when it was made. Since somebody lost the right to read there are others. */
async function assertCurrent({ calls }: ReadContext, { nodeId, generation }: LinkedNode, signal: AbortSignal): Promise<void> {
  const { id, record } = await calls.node(nodeId, signal);
  if (id !== nodeId) throw new SdkError('damaged');
  if (readNodeHead(record).generation > generation) throw new SdkError('link-over');
}

function contextOf(access: LinkAccess, { nodeId, nodeKey, generation, owner }: LinkedNode, floe: FloeBackEnd): ReadContext {
  const calls = new DriveCalls(access);
  const seen = new SeenMemory();
  const opener = new NodeOpener(calls, seen);
  const node: TopNode = { id: nodeId, owner, access: { nodeKey, generation } };
  const top = (mount: string | undefined): Promise<TopNode> =>
    mount === undefined ? Promise.resolve(node) : Promise.reject(new SdkError('not-found'));
  const finder = new NodeFinder({ calls, opener, tops: { top } });
  return { calls, opener, finder, seen, floe };
}
