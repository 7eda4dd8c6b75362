import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import * as opaque from '@serenity-kit/opaque';
import { DomainError } from '../common/errors.js';
import type { UserName } from '../common/user-name.js';
import { KeyRingHolder } from '../crypto/key-ring.holder.js';
import { Logins } from './logins.js';

/** What a user proves to know; each has a record of its own. */
export type Factor = 'password' | 'recovery';

const FINGERPRINT_BYTES = 8;
const LACKS_SETUP = 'the key ring lacks the login setup by which users registered: put the newer key ring back';

/** Bound into every registration, so that one of another program, or of another version of this, is none. Clients have the same word. */
const SERVER_IDENTITY = 'dcloud/v1';

/** The server's half of OPAQUE (RFC 9807), by the login setup of the key ring. It keeps nothing and knows no password. */
@Injectable()
export class OpaqueServer {
  constructor(
    private readonly keys: KeyRingHolder,
    private readonly logins: Logins,
  ) {}

  /**
   * Before anything else of this: makes the login setup, if there is none and nobody has registered yet.
   * @throws DomainError `key-missing` if the key ring lacks the one by which users registered
   */
  async ready(signal: AbortSignal): Promise<void> {
    await opaque.ready;
    if (this.keys.current().loginSetup !== undefined) return;
    if (!(await this.logins.isEmpty(signal))) throw new DomainError('key-missing', LACKS_SETUP);
    this.setup();
  }

  /** Tells one login setup from another, and nothing of it. */
  fingerprint(): Uint8Array {
    const key = opaque.server.getPublicKey(this.setup());
    return createHash('sha256').update(key).digest().subarray(0, FINGERPRINT_BYTES);
  }

  /** @throws DomainError `invalid-login-message` */
  beginRegistration(name: UserName, factor: Factor, registrationRequest: string): string {
    const userIdentifier = identifier(name, factor);
    return understand(
      () =>
        opaque.server.createRegistrationResponse({ serverSetup: this.setup(), userIdentifier, registrationRequest })
          .registrationResponse,
    );
  }

  /**
   * Checks that a registration record is one: what is no record would make the account unusable.
   * @throws DomainError `invalid-login-message`
   */
  checkRecord(name: UserName, factor: Factor, registrationRecord: string): void {
    const { startLoginRequest } = opaque.client.startLogin({ password: '' });
    this.beginLogin({ name, factor, registrationRecord, startLoginRequest });
  }

  /**
   * @param login without a record for who does not exist: the answer is as for one who does, and no password is right
   * @throws DomainError `invalid-login-message`
   */
  beginLogin(login: {
    readonly name: UserName;
    readonly factor: Factor;
    readonly registrationRecord: string | undefined;
    readonly startLoginRequest: string;
  }): { readonly loginResponse: string; readonly serverLoginState: string } {
    const { name, factor, registrationRecord, startLoginRequest } = login;
    const userIdentifier = identifier(name, factor);
    const identifiers = { client: userIdentifier, server: SERVER_IDENTITY };
    const serverSetup = this.setup();
    return understand(() =>
      opaque.server.startLogin({ serverSetup, userIdentifier, registrationRecord, startLoginRequest, identifiers }),
    );
  }

  /** Whether the client proved that it knows the password. */
  isProven(
    { name, factor, serverLoginState }: { readonly name: UserName; readonly factor: Factor; readonly serverLoginState: string },
    finishLoginRequest: string,
  ): boolean {
    const identifiers = { client: identifier(name, factor), server: SERVER_IDENTITY };
    try {
      opaque.server.finishLogin({ serverLoginState, finishLoginRequest, identifiers });
      return true;
    } catch {
      return false; // one answer for all that is wrong with a proof: which it is, is nobody's business
    }
  }

  /** @throws DomainError `key-missing` for a registration that hangs on another login setup: no password would be right */
  assertSetup(fingerprint: Uint8Array): void {
    if (!Buffer.from(fingerprint).equals(this.fingerprint())) throw new DomainError('key-missing', LACKS_SETUP);
  }

  private setup(): string {
    const make = (): Uint8Array => Buffer.from(opaque.server.createSetup(), 'base64url');
    return this.keys.loginSetup(make).secret.export().toString('base64url');
  }
}

/** A `#` is in no user name, so that the two of one user are no other user's. */
function identifier(name: UserName, factor: Factor): string {
  return factor === 'password' ? name : `${name}#recovery`;
}

/** The library throws where it cannot read a message; what it says then is not repeated, but kept as the cause. */
function understand<Answer>(call: () => Answer): Answer {
  try {
    return call();
  } catch (cause) {
    throw new DomainError('invalid-login-message', 'a message of the login protocol cannot be read', { cause });
  }
}
