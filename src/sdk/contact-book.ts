import { fromBase64Url } from './bytes.js';
import { SdkError } from './errors.js';
import { followBundles, openBundle, type IdentityBundle } from './identity-bundle.js';
import { Pins, type Asked } from './pins.js';
import type { Transport } from './transport.js';
import type { Vault } from './vault.js';
import type { Owner } from './writers.js';

/** So long an answer of the server counts for who only checks signatures. */
const FRESH_MS = 60_000;

/** Somebody as pinned: the bundle to seal to, and all keys whose signatures count as theirs. */
export interface KnownPerson {
  readonly bundle: IdentityBundle;
  readonly owner: Owner;
}

/** Whom the account knows: every key of somebody else comes from here. */
export class ContactBook {
  private readonly met = new Map<string, { readonly person: KnownPerson; readonly atMs: number }>();

  /** @param own the account itself, which needs no pin */
  constructor(
    private readonly transport: Transport,
    private readonly vault: Vault,
    private readonly own: () => KnownPerson,
  ) {}

  /**
   * The newest keys of somebody, pinned from the first contact on.
   * @param asked `isFresh`: not what was heard a moment ago; for who seals to them
   * @throws SdkError `identity-changed` if they do not follow from what is pinned, `user-not-found`, `not-found`
   */
  async meet(asked: Asked & { readonly isFresh?: boolean }, signal: AbortSignal): Promise<KnownPerson> {
    const known = this.known(asked);
    if (known !== undefined) return known;
    const chain = await this.chainOf(asked, signal);
    const bundle = chain.at(-1) as IdentityBundle;
    await this.update((pins) => pins.meet(chain, asked), signal);
    const owner = {
      accountId: bundle.accountId,
      verifyKeys: new Map(chain.map(({ version, verifyKey }) => [version, verifyKey])),
    };
    const person = { bundle, owner };
    this.met.set(bundle.accountId, { person, atMs: performance.now() });
    return person;
  }

  /** The safety numbers were compared and are the same. @throws SdkError `identity-changed` if this is not the pinned bundle */
  async verify(bundle: IdentityBundle, signal: AbortSignal): Promise<void> {
    await this.update((pins) => pins.verify(bundle), signal);
  }

  async pins(signal: AbortSignal): Promise<Pins> {
    return pinsOf(await this.vault.read('contacts', signal));
  }

  private known(asked: Asked & { readonly isFresh?: boolean }): KnownPerson | undefined {
    const own = this.own();
    if (isSame(own, asked)) return own;
    if (asked.isFresh === true) return undefined;
    for (const { person, atMs } of this.met.values())
      if (isSame(person, asked) && performance.now() - atMs < FRESH_MS) return person;
    return undefined;
  }

  private async chainOf(asked: Asked, signal: AbortSignal): Promise<readonly IdentityBundle[]> {
    if ('accountId' in asked) return fetchIdentities(this.transport, asked.accountId, signal);
    const path = `/auth/users/${encodeURIComponent(asked.userName)}/bundle`;
    const { body } = await this.transport.json({ method: 'GET', path }, signal);
    const { accountId } = await openBundle(fromBase64Url(body.text('identity')) ?? new Uint8Array(0));
    return fetchIdentities(this.transport, accountId, signal);
  }

  /** Writes only if something is another than it was. */
  private async update(change: (pins: Pins) => unknown, signal: AbortSignal): Promise<void> {
    await this.vault.update(
      'contacts',
      (before) => {
        const pins = pinsOf(before);
        const old = pins.encode();
        change(pins);
        const now = pins.encode();
        return now.length === old.length && now.every((byte, at) => byte === old[at]) ? undefined : now;
      },
      signal,
    );
  }
}

/** All bundles of an account, oldest first, each of which follows from the one before. @throws SdkError `identity-changed`, `damaged` */
export async function fetchIdentities(
  transport: Transport,
  accountId: string,
  signal: AbortSignal,
): Promise<readonly IdentityBundle[]> {
  const { body } = await transport.json({ method: 'GET', path: `/auth/identities/${accountId}` }, signal);
  const [first, ...successors] = body.bytesList('identities');
  if (first === undefined) throw new SdkError('not-found');
  const oldest = await openBundle(first);
  // From the first one on: a pin may be of any, and so may a signature.
  if (oldest.version !== 1 || oldest.accountId !== accountId) throw new SdkError('identity-changed');
  return followBundles(oldest, successors);
}

function pinsOf(bytes: Uint8Array | undefined): Pins {
  return bytes === undefined ? new Pins() : Pins.decode(bytes);
}

function isSame({ bundle }: KnownPerson, asked: Asked): boolean {
  return 'accountId' in asked ? bundle.accountId === asked.accountId : bundle.userName === asked.userName;
}
