import { sha256 } from './bytes.js';
import type { CallOptions, LinkOptions, TreeCalls } from './drive-api.js';
import type { DriveSession } from './drive-session.js';
import { SdkError } from './errors.js';
import { linkProof, makeLink, type LinkPassword } from './link.js';
import { formatLink, newLinkSecret } from './link-url.js';
import type { PasswordHash } from './password-cost.js';
import { SharingApi } from './sharing-api.js';
import { lastOf, openOwnWay } from './way.js';
import { signalOf } from './signal-of.js';

/** Links to what is one's own, for people without an account. */
export class DriveLinks {
  private readonly api: SharingApi;

  /** @param tree finds what a path means */
  constructor(
    private readonly session: DriveSession,
    private readonly tree: Pick<TreeCalls, 'stat'>,
  ) {
    this.api = new SharingApi(session.transport);
  }

  /**
   * @returns the address, whose secret part stands behind the `#` and is kept nowhere: it is shown once
   * @throws SdkError `not-yours`: only the owner makes links
   */
  async link(path: string, options: LinkOptions = {}): Promise<{ readonly id: string; readonly url: string }> {
    const { password, expiresAt, usesMax } = options;
    const signal = signalOf(options);
    const { id: nodeId, owner } = await this.tree.stat(path, { signal });
    if (owner !== this.session.account.id) throw new SdkError('not-yours');
    const { record } = lastOf(await openOwnWay(this.session, nodeId, signal));
    const [linkId, secret] = [await this.session.ids.take(signal), newLinkSecret()];
    const given = { linkId, nodeId, kind: record.kind, generation: record.keys.generation, nodeKey: record.keys.current };
    const protection = await protectionBy(password, this.session.passwordHash);
    const link = await makeLink({ ...given, secret, owner: this.session.keys.owner, ...(protection && { protection }) });
    const proofHash = await sha256(await linkProof(secret, linkId));
    await this.api.addLink(nodeId, { linkId, link, proofHash, expiresAt, usesMax }, signal);
    return { id: linkId, url: formatLink({ origin: this.session.transport.origin, linkId, secret }) };
  }

  /** @throws SdkError `link-over` if there is no such link of one's own; `invalid-id` */
  async unlink(id: string, options?: CallOptions): Promise<void> {
    await this.api.removeLink(id, signalOf(options));
  }
}

/** What hashes is loaded only where there is a password. @param hash absent: our own argon2id */
export async function protectionBy(
  password: string | undefined,
  hash: PasswordHash | undefined,
): Promise<LinkPassword | undefined> {
  if (password === undefined) return undefined;
  return { password, hash: hash ?? (await import('./argon2id.js')).argon2idHash };
}
