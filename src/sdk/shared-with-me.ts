import type { Bytes } from './bytes.js';
import type { KnownPerson } from './contact-book.js';
import type { CallOptions, SharedEntry } from './drive-api.js';
import type { DriveSession } from './drive-session.js';
import { SdkError } from './errors.js';
import { openGrant, readGrantHead, type Grant, type GrantHead } from './grant.js';
import { Mounts, type Mount } from './mounts.js';
import type { TopNode } from './node-finder.js';
import { entryOf, type NodeOpener, type OpenNode } from './open-node.js';
import { SharingApi, type SealedShare } from './sharing-api.js';
import { signalOf } from './signal-of.js';

/** A grant to the account, opened: by whom, and where a path through it begins. */
interface Received {
  readonly grant: Grant;
  readonly from: KnownPerson;
  readonly top: TopNode;
}

/** What others share with the account, and what of it was accepted. Nothing appears in the tree that nobody said yes to. */
export class SharedWithMe {
  private readonly api: SharingApi;

  constructor(
    private readonly session: DriveSession,
    private readonly opener: NodeOpener,
  ) {
    this.api = new SharingApi(session.transport);
  }

  /**
   * What is shared with the account now. What does not open is passed over, since anybody may send anything; only a server that shows other keys of
   * somebody, or an older state, is reported, behind all that is right.
   */
  async *shared(options?: CallOptions): AsyncGenerator<SharedEntry, void, undefined> {
    const until = signalOf(options);
    const mounts = await this.mounts(until);
    let alarm: SdkError | undefined;
    for (const share of await this.api.shared(until)) {
      try {
        yield await this.describe(share, mounts, until);
      } catch (error) {
        if (isAlarming(error)) alarm ??= error;
        else if (!isUnopenable(error)) throw error;
      }
    }
    if (alarm !== undefined) throw alarm;
  }

  /**
   * Takes it into the tree, under its name or the one that is given; if it is taken, with a number.
   * @returns the path under which it is from now on: `@name`
   * @throws SdkError `not-found`, and whatever is wrong with it
   */
  async accept(id: string, options: CallOptions & { readonly name?: string } = {}): Promise<string> {
    const until = signalOf(options);
    const share = (await this.api.shared(until)).find(({ grant }) => headOf(grant)?.grantId === id);
    if (share === undefined) throw new SdkError('not-found');
    const received = await this.receive(share, until);
    const { from } = received;
    const { name: own } = (await this.open(share, received, until)).record.attributes;
    const mount = { name: options.name ?? own, nodeId: share.node.id, ownerId: from.bundle.accountId };
    let path = '';
    await this.session.vault.update(
      'mounts',
      (before) => {
        const next = Mounts.decode(before).with(mount);
        path = `@${(next.of(mount.nodeId) as Mount).name}`;
        return next.encode();
      },
      until,
    );
    return path;
  }

  /** Takes it out of the tree. It is still shared, and can be accepted again. @throws SdkError `not-found` */
  async leave(name: string, options?: CallOptions): Promise<void> {
    await this.session.vault.update(
      'mounts',
      (before) => {
        const mounts = Mounts.decode(before);
        const mount = mounts.named(name);
        if (mount === undefined) throw new SdkError('not-found');
        return mounts.without(mount.nodeId).encode();
      },
      signalOf(options),
    );
  }

  /** Where paths through something that was accepted begin. @throws SdkError `not-found` also if it is shared no more */
  async mounted(name: string, signal: AbortSignal): Promise<TopNode> {
    const mount = (await this.mounts(signal)).named(name);
    if (mount === undefined) throw new SdkError('not-found');
    const { nodeId, ownerId } = mount;
    const shares = await this.api.shared(signal);
    const share = shares.find(({ grant, owner }) => owner === ownerId && headOf(grant)?.nodeId === nodeId);
    if (share === undefined) throw new SdkError('not-found');
    return (await this.receive(share, signal)).top;
  }

  private async mounts(signal: AbortSignal): Promise<Mounts> {
    return Mounts.decode(await this.session.vault.read('mounts', signal));
  }

  private async describe(share: SealedShare, mounts: Mounts, signal: AbortSignal): Promise<SharedEntry> {
    const received = await this.receive(share, signal);
    const { grant, from } = received;
    const node = await this.open(share, received, signal);
    const mount = mounts.of(grant.nodeId)?.name ?? node.record.attributes.name;
    const entry = entryOf({ ...node, path: { mount, names: [] } });
    return { id: grant.grantId, from: from.bundle.userName, entry, rights: grant.rights };
  }

  /** Checks who made a grant, and that it is for us. What is by or for other keys than are known here may be by or for newer ones. */
  private async receive(share: SealedShare, signal: AbortSignal): Promise<Received> {
    try {
      return await this.receiveBy(share, false, signal);
    } catch (error) {
      if (!(error instanceof SdkError) || error.kind !== 'not-yours') throw error;
      await this.session.refresh(signal);
      return this.receiveBy(share, true, signal);
    }
  }

  private async receiveBy(
    { grant: bytes, owner: ownerId }: SealedShare,
    isFresh: boolean,
    signal: AbortSignal,
  ): Promise<Received> {
    const from = await this.session.contacts.meet({ accountId: ownerId, isFresh }, signal);
    const { identity, bundle } = this.session.keys;
    const grant = await openGrant(bytes, { recipient: identity, recipientBundle: bundle.hash, owner: from.owner });
    const { nodeId, nodeKey, generation } = grant;
    return { grant, from, top: { id: nodeId, owner: from.owner, access: { nodeKey, generation } } };
  }

  private async open({ node: sealed }: SealedShare, { grant, top }: Received, signal: AbortSignal): Promise<OpenNode> {
    if (sealed.id !== grant.nodeId) throw new SdkError('damaged');
    const { owner, access } = top;
    const lists = await this.opener.lists([grant.nodeId], owner, signal);
    const node = await this.opener.open(sealed, { path: { names: [] }, owner, access, above: [], lists }, signal);
    if (node.record.kind !== grant.kind) throw new SdkError('damaged');
    return node;
  }
}

function headOf(grant: Bytes): GrantHead | undefined {
  try {
    return readGrantHead(grant);
  } catch {
    return undefined; // somebody's, not one that anything could be done with
  }
}

/** What only the server can cause. */
function isAlarming(error: unknown): error is SdkError {
  return error instanceof SdkError && (error.kind === 'identity-changed' || error.kind === 'rolled-back');
}

/** What somebody who shares can cause. */
function isUnopenable(error: unknown): boolean {
  return error instanceof SdkError && ['damaged', 'not-yours', 'unsupported-format', 'not-found'].includes(error.kind);
}
