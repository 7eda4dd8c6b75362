import type { CallOptions, Sharing, TreeCalls } from './drive-api.js';
import type { DriveSession } from './drive-session.js';
import { SdkError } from './errors.js';
import type { Rights } from './grant.js';
import { userNameOf } from './login-calls.js';
import { readLinkHead } from './link.js';
import { Mounts } from './mounts.js';
import { Rekeying } from './rekeying.js';
import { repeated } from './retries.js';
import type { SealedLink } from './sharing-api.js';
import { isUnfinished, readSharing, recipientsOf, writeSharing, type Recipient } from './sharing-state.js';
import { lastOf, openOwnWay, type WayNode } from './way.js';
import { signalOf } from './signal-of.js';

/** Who else may read and write what is one's own. */
export class DriveSharing {
  private readonly rekeying: Rekeying;

  /** @param tree finds what a path means */
  constructor(
    private readonly session: DriveSession,
    private readonly tree: Pick<TreeCalls, 'stat'>,
  ) {
    this.rekeying = new Rekeying(session);
  }

  /**
   * Lets somebody read, or read and write, a file or a folder with everything in it. Somebody who could already gets the new right.
   * @throws SdkError `identity-changed` if the server shows other keys of this person than those that are known, `user-not-found`, `not-yours`
   */
  async share(path: string, userName: string, rights: Rights, options?: CallOptions): Promise<void> {
    const until = signalOf(options);
    const nodeId = await this.ownNode(path, until);
    const { accountId } = (await this.session.contacts.meet({ userName, isFresh: true }, until)).bundle;
    if (accountId === this.session.account.id) throw new SdkError('not-yours');
    await this.remember(nodeId, until);
    await this.change(nodeId, (now) => [...now.filter((one) => one.accountId !== accountId), { accountId, rights }], until);
  }

  /**
   * Takes somebody the right to read and write it. What is written from then on is sealed under keys that they never had; what they could read before
   * they may have kept. Links of it end. It may be called again after it was broken off.
   */
  async unshare(path: string, userName: string, options?: CallOptions): Promise<void> {
    const until = signalOf(options);
    const nodeId = await this.ownNode(path, until);
    const node = lastOf(await openOwnWay(this.session, nodeId, until)).record;
    const state = await readSharing(this.session, node, until);
    const gone = await this.recipientNamed(userName, recipientsOf(state), until);
    // What was broken off before has no recipient of this name any more; it is done to its end.
    if (gone === undefined && state.list === undefined) throw new SdkError('not-found');
    if (gone !== undefined || isUnfinished(state, node))
      await this.rekeying.rekey(nodeId, (now) => now.filter(({ accountId }) => accountId !== gone?.accountId), until);
    await this.rekeying.rekeyBelow(nodeId, until);
  }

  async sharing(path: string, options?: CallOptions): Promise<Sharing> {
    const until = signalOf(options);
    const node = lastOf(await openOwnWay(this.session, await this.ownNode(path, until), until));
    const state = await readSharing(this.session, node.record, until);
    const grants = [];
    for (const { accountId, rights } of recipientsOf(state)) {
      const { userName } = (await this.session.contacts.meet({ accountId }, until)).bundle;
      grants.push({ userName, accountId, rights });
    }
    return { grants, links: state.sealed.links.filter((link) => isCurrent(link, node)).map(describe) };
  }

  /** After a change of the own identity: everything that was shared is granted anew, by the new keys. May be called again at any time. */
  async grantAnew(signal: AbortSignal): Promise<void> {
    const { sharedNodes } = Mounts.decode(await this.session.vault.read('mounts', signal));
    for (const nodeId of sharedNodes) {
      try {
        await this.change(nodeId, (now) => now, signal);
      } catch (error) {
        if (!(error instanceof SdkError) || error.kind !== 'not-found') throw error; // it was removed since
      }
    }
  }

  private async change(
    nodeId: string,
    next: (now: readonly Recipient[]) => readonly Recipient[],
    signal: AbortSignal,
  ): Promise<void> {
    await repeated(async () => {
      const node = lastOf(await openOwnWay(this.session, nodeId, signal)).record;
      const before = await readSharing(this.session, node, signal);
      if (isUnfinished(before, node)) {
        await this.rekeying.rekey(nodeId, next, signal);
        return;
      }
      await writeSharing(
        this.session,
        node,
        { before, next: { recipients: next(recipientsOf(before)), keys: node.keys } },
        signal,
      );
    });
  }

  /** @throws SdkError `not-yours`: only the owner shares */
  private async ownNode(path: string, signal: AbortSignal): Promise<string> {
    const { id, owner } = await this.tree.stat(path, { signal });
    if (owner !== this.session.account.id) throw new SdkError('not-yours');
    return id;
  }

  /** By the pins alone: somebody whose keys the server exchanges now can be removed all the same. */
  private async recipientNamed(
    userName: string,
    recipients: readonly Recipient[],
    signal: AbortSignal,
  ): Promise<Recipient | undefined> {
    const pins = await this.session.contacts.pins(signal);
    const name = userNameOf(userName);
    return recipients.find(({ accountId }) => pins.get(accountId)?.userName === name);
  }

  private async remember(nodeId: string, signal: AbortSignal): Promise<void> {
    await this.session.vault.update(
      'mounts',
      (before) => {
        const known = Mounts.decode(before);
        return known.sharedNodes.has(nodeId) ? undefined : known.withShared(nodeId).encode();
      },
      signal,
    );
  }
}

/** A link that was made before somebody lost the right to read shows nothing any more. */
function isCurrent({ link }: SealedLink, { record }: WayNode): boolean {
  return readLinkHead(link).generation === record.keys.generation;
}

function describe({ linkId, link, createdAt, expiresAt, usesLeft }: SealedLink): Sharing['links'][number] {
  return { id: linkId, createdAt, expiresAt, usesLeft, hasPassword: readLinkHead(link).password !== undefined };
}
