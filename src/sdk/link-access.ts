import type { PasswordHash } from './password-cost.js';
import type { Bytes } from './bytes.js';
import { protectionBy } from './drive-links.js';
import { SdkError } from './errors.js';
import { linkProof, openLink, type LinkContent, type LinkHead } from './link.js';
import { parseLink } from './link-url.js';
import { SharingApi } from './sharing-api.js';
import type { Answer, Call, StreamAnswer, Transport } from './transport.js';

/** What a link gave: the key, and who owns what it opens. */
export type LinkedNode = LinkHead & LinkContent;

/**
 * Speaks as somebody who has a link. The server is shown what is derived of the secret, never the secret, and gives a credential for an hour; when it is
 * over, the link is opened again, which counts as one more use of it.
 */
export class LinkAccess {
  private renewal: Promise<void> | undefined;

  private constructor(
    private readonly transport: Transport,
    private readonly address: { readonly linkId: string; readonly proof: Bytes },
    private credential: string,
  ) {}

  /**
   * @throws SdkError `invalid-link` also for one of another server; `link-over`; `wrong-key` if the password is not the right one, or is missing
   */
  static async open(
    transport: Transport,
    { url, password, passwordHash }: { readonly url: string; readonly password?: string; readonly passwordHash?: PasswordHash },
    signal: AbortSignal,
  ): Promise<{ readonly access: LinkAccess; readonly node: LinkedNode }> {
    const { origin, linkId, secret } = parseLink(url);
    if (origin !== transport.origin) throw new SdkError('invalid-link');
    const address = { linkId, proof: await linkProof(secret, linkId) };
    const { link, credential } = await new SharingApi(transport.as(undefined)).openLink(linkId, address.proof, signal);
    const protection = await protectionBy(password, passwordHash);
    const node = await openLink(link, { linkId, secret, ...(protection && { protection }) });
    return { access: new LinkAccess(transport, address, credential), node };
  }

  json(call: Call, signal: AbortSignal): Promise<Answer> {
    return this.asLink((transport) => transport.json(call, signal), signal);
  }

  stream(call: Call, signal: AbortSignal): Promise<StreamAnswer> {
    return this.asLink((transport) => transport.stream(call, signal), signal);
  }

  private async asLink<Result>(call: (transport: Transport) => Promise<Result>, signal: AbortSignal): Promise<Result> {
    const used = this.credential;
    try {
      return await call(this.transport.as(used));
    } catch (error) {
      if (!(error instanceof SdkError) || error.kind !== 'session-over') throw error;
    }
    // Several calls may find at the same time that it is over; one of them opens the link again.
    if (this.credential === used) {
      this.renewal ??= this.renew(signal).finally(() => (this.renewal = undefined));
      await this.renewal;
    }
    return call(this.transport.as(this.credential));
  }

  private async renew(signal: AbortSignal): Promise<void> {
    const { linkId, proof } = this.address;
    const api = new SharingApi(this.transport.as(undefined));
    this.credential = (await api.openLink(linkId, proof, signal)).credential;
  }
}
