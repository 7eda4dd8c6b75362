import type { CallOptions, Contact, ContactCalls } from './drive-api.js';
import type { DriveSession } from './drive-session.js';
import type { IdentityBundle } from './identity-bundle.js';
import { userNameOf } from './login-calls.js';
import { safetyNumber } from './safety-number.js';
import { signalOf } from './signal-of.js';

/** Whom this account has met, for its user. */
export class DriveContacts implements ContactCalls {
  /** Whose number was shown, as it was. */
  private readonly shown = new Map<string, IdentityBundle>();

  constructor(private readonly session: DriveSession) {}

  async list(options?: CallOptions): Promise<readonly Contact[]> {
    const pins = await this.session.contacts.pins(signalOf(options));
    return pins.all().map(({ userName, accountId, isVerified }) => ({ userName, accountId, isVerified }));
  }

  async safetyNumber(userName: string, options?: CallOptions): Promise<string> {
    const { contacts, keys } = this.session;
    const { bundle } = await contacts.meet({ userName: userNameOf(userName), isFresh: true }, signalOf(options));
    this.shown.set(bundle.userName, bundle);
    return safetyNumber(keys.bundle, bundle);
  }

  /** Of the keys whose number was shown: others that came since have another number, and are not meant. */
  async verify(userName: string, options?: CallOptions): Promise<void> {
    const [name, signal] = [userNameOf(userName), signalOf(options)];
    const bundle = this.shown.get(name) ?? (await this.session.contacts.meet({ userName: name }, signal)).bundle;
    await this.session.contacts.verify(bundle, signal);
  }
}
