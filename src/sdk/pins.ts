import { parseUserName } from '../common/user-name.js';
import { openForSelf, sealForSelf, type MasterKey } from './account-keys.js';
import { isEqual, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';
import { FieldReader, FieldWriter } from './fields.js';
import type { IdentityBundle } from './identity-bundle.js';

const FORMAT = 0x01;
const HASH_BYTES = 32;

/** What is remembered of a person from the first contact on. */
export interface Pin {
  readonly accountId: string;
  readonly userName: string;
  readonly version: number;
  readonly bundleHash: Bytes;
  /** True if the safety numbers were compared, for this very version. */
  readonly isVerified: boolean;
}

/** Whom the server was asked for: the answer is somebody's, but that alone does not make it this one's. */
export type Asked = { readonly accountId: string } | { readonly userName: string };

/** Whom we know: trust on first use, and from then on nobody else under that name or id. */
export class Pins {
  private readonly byAccount: Map<string, Pin>;

  constructor(
    pins: readonly Pin[] = [],
    /** Grows with each save; a device that has seen a higher one refuses an older state. */
    readonly revision = 0,
  ) {
    this.byAccount = new Map(pins.map((pin) => [pin.accountId, pin]));
  }

  /** @throws SdkError `damaged` */
  static async open(master: MasterKey, sealed: Uint8Array, revision: number): Promise<Pins> {
    return Pins.decode(await openForSelf(master, 'contacts', { bytes: sealed, revision }), revision);
  }

  /** @throws SdkError `damaged` */
  static decode(bytes: Uint8Array, revision = 0): Pins {
    const reader = new FieldReader(bytes).format(FORMAT);
    const pins = reader.list(() => readPin(reader));
    reader.end();
    return new Pins(pins, revision);
  }

  /** All of them, in the order in which they were met. */
  all(): readonly Pin[] {
    return [...this.byAccount.values()];
  }

  get(accountId: string): Pin | undefined {
    return this.byAccount.get(accountId);
  }

  /**
   * Checks what the server shows as somebody's bundles against what is known, and remembers the newest.
   * @param chain of `followBundles`: begins with the pinned bundle, or with any at the first contact, and ends with the newest
   * @returns the bundle to use
   * @throws SdkError `identity-changed`; DomainError `invalid-user-name`
   */
  meet(chain: readonly IdentityBundle[], asked: Asked): IdentityBundle {
    const newest = chain.at(-1);
    if (newest === undefined) throw new SdkError('damaged');
    if (!isAskedFor(newest, asked)) throw new SdkError('identity-changed');
    const pin = this.byAccount.get(newest.accountId);
    if (pin === undefined) this.assertNameIsFree(newest);
    else if (!chain.some((bundle) => isPinned(bundle, pin))) throw new SdkError('identity-changed');
    const isVerified = pin?.isVerified === true && isPinned(newest, pin);
    this.byAccount.set(newest.accountId, pinOf(newest, isVerified));
    return newest;
  }

  /** The safety numbers were compared and are the same. @throws SdkError `identity-changed` if this is not the pinned bundle */
  verify(bundle: IdentityBundle): void {
    const pin = this.byAccount.get(bundle.accountId);
    if (pin === undefined || !isPinned(bundle, pin)) throw new SdkError('identity-changed');
    this.byAccount.set(bundle.accountId, pinOf(bundle, true));
  }

  /** The next state to keep, which has the revision `revision + 1`. */
  async seal(master: MasterKey): Promise<{ readonly bytes: Bytes; readonly revision: number }> {
    const revision = this.revision + 1;
    return { bytes: await sealForSelf(master, 'contacts', { bytes: this.encode(), revision }), revision };
  }

  encode(): Bytes {
    const writer = new FieldWriter().u8(FORMAT);
    writer.list([...this.byAccount.values()], (pin) => {
      writer
        .id(pin.accountId)
        .text(pin.userName)
        .u32(pin.version)
        .fixed(pin.bundleHash)
        .u8(pin.isVerified ? 1 : 0);
    });
    return writer.finish();
  }

  /** Another account under a name that we know is what a server would show us in the place of a friend. */
  private assertNameIsFree({ userName }: IdentityBundle): void {
    for (const pin of this.byAccount.values()) if (pin.userName === userName) throw new SdkError('identity-changed');
  }
}

function isAskedFor({ accountId, userName }: IdentityBundle, asked: Asked): boolean {
  return 'accountId' in asked ? accountId === asked.accountId : userName === parseUserName(asked.userName);
}

function isPinned(bundle: IdentityBundle, pin: Pin): boolean {
  return bundle.accountId === pin.accountId && isEqual(bundle.hash, pin.bundleHash);
}

function pinOf({ accountId, userName, version, hash }: IdentityBundle, isVerified: boolean): Pin {
  return { accountId, userName, version, bundleHash: hash, isVerified };
}

function readPin(reader: FieldReader): Pin {
  return {
    accountId: reader.id(),
    userName: reader.text(),
    version: reader.u32(),
    bundleHash: reader.fixed(HASH_BYTES),
    isVerified: reader.u8() === 1,
  };
}
