import { parseUserName, type UserName } from '../common/user-name.js';
import { fromBase64Url, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';
import { assertCost, PASSWORD_COST, type PasswordCost } from './password-cost.js';

/** What is proved; each is registered for itself. */
export type LoginFactor = 'password' | 'recovery';

/** Bound into every registration, so that one of another program, or of another version of this, is none. Servers have the same word. */
const SERVER_IDENTITY = 'dcloud/v1';
const EXPORT_KEY_BYTES = 64;

export interface LoginSecret {
  readonly userName: string;
  readonly factor: LoginFactor;
  /** The password, or the recovery code in the one form in which it is written. */
  readonly secret: string;
  /**
   * The server's public key as it was at the registration; absent only at the very first one. Another one is not this server, whatever it says of
   * itself.
   */
  readonly serverKey: string | undefined;
  /** Of the client's own, never what a server asks for; absent: {@link PASSWORD_COST}, which is also the least. */
  readonly cost?: PasswordCost;
}

export interface RegisteredLogin {
  /** For the server: proves nothing and opens nothing. */
  readonly registrationRecord: string;
  /** 64 bytes that only who knows the secret can make; the server never sees them. */
  readonly exportKey: Bytes;
  /** To be kept, and given to every later login. */
  readonly serverKey: string;
}

export interface ProvenLogin {
  /** For the server: proves that the secret is known. */
  readonly finishLoginRequest: string;
  readonly exportKey: Bytes;
  readonly serverKey: string;
}

/** The first half of a registration, or of a new password. */
export interface BegunRegistration {
  readonly registrationRequest: string;
  /** @throws SdkError `damaged` if the answer is none, `server-changed` */
  readonly finish: (registrationResponse: string) => RegisteredLogin;
}

/** The first half of a login. */
export interface BegunLogin {
  readonly startLoginRequest: string;
  /** @throws SdkError `wrong-key` if the secret is wrong or the server does not know the account; `server-changed` */
  readonly finish: (loginResponse: string) => ProvenLogin;
}

/**
 * Begins to register a secret (OPAQUE, RFC 9807): the server gets what it can check a proof by, and nothing that opens anything.
 * `finish` takes most of a second: the secret is hardened in it.
 * @throws DomainError `invalid-user-name`; SdkError `weak-password-cost`
 */
export async function beginRegistration(login: LoginSecret): Promise<BegunRegistration> {
  const { opaque, password, identifiers, keyStretching } = await prepare(login);
  const { clientRegistrationState, registrationRequest } = opaque.client.startRegistration({ password });
  const finish = (registrationResponse: string): RegisteredLogin => {
    const result = understand(() =>
      opaque.client.finishRegistration({
        clientRegistrationState,
        registrationResponse,
        password,
        identifiers,
        keyStretching,
      }),
    );
    const { registrationRecord, exportKey, serverStaticPublicKey: serverKey } = result;
    assertServer(login, serverKey);
    return { registrationRecord, exportKey: keyOf(exportKey), serverKey };
  };
  return { registrationRequest, finish };
}

/**
 * Begins a login. A wrong secret, an unknown account and a server that only pretends to know it cannot be told apart, which is what keeps a
 * server from testing guesses.
 * @throws DomainError `invalid-user-name`; SdkError `weak-password-cost`
 */
export async function beginLogin(login: LoginSecret): Promise<BegunLogin> {
  const { opaque, password, identifiers, keyStretching } = await prepare(login);
  const { clientLoginState, startLoginRequest } = opaque.client.startLogin({ password });
  const finish = (loginResponse: string): ProvenLogin => {
    const result = understand(() =>
      opaque.client.finishLogin({ clientLoginState, loginResponse, password, identifiers, keyStretching }),
    );
    if (result === undefined) throw new SdkError('wrong-key');
    const { finishLoginRequest, exportKey, serverStaticPublicKey: serverKey } = result;
    assertServer(login, serverKey);
    return { finishLoginRequest, exportKey: keyOf(exportKey), serverKey };
  };
  return { startLoginRequest, finish };
}

interface Prepared {
  readonly opaque: typeof import('@serenity-kit/opaque');
  readonly password: string;
  readonly identifiers: { readonly client: string; readonly server: string };
  readonly keyStretching: {
    readonly 'argon2id-custom': { readonly memory: number; readonly iterations: number; readonly parallelism: number };
  };
}

async function prepare({ userName, factor, secret, cost = PASSWORD_COST }: LoginSecret): Promise<Prepared> {
  assertCost(cost);
  const client = identifier(parseUserName(userName), factor);
  // Loaded when it is needed: a session that goes on needs none of it.
  const opaque = await import('@serenity-kit/opaque');
  await opaque.ready;
  const { memoryKib: memory, iterations, parallelism } = cost;
  return {
    opaque,
    password: secret.normalize('NFKC'),
    identifiers: { client, server: SERVER_IDENTITY },
    keyStretching: { 'argon2id-custom': { memory, iterations, parallelism } },
  };
}

/** As the server makes it. */
function identifier(name: UserName, factor: LoginFactor): string {
  return factor === 'password' ? name : `${name}#recovery`;
}

function assertServer({ serverKey: pinned }: LoginSecret, serverKey: string): void {
  if (pinned !== undefined && pinned !== serverKey) throw new SdkError('server-changed');
}

function keyOf(exportKey: string): Bytes {
  const bytes = fromBase64Url(exportKey);
  if (bytes?.length !== EXPORT_KEY_BYTES) throw new SdkError('damaged');
  return bytes;
}

/** The library throws where it cannot read a message. Its words are not kept: they may quote what they are about. */
function understand<Answer>(call: () => Answer): Answer {
  try {
    return call();
  } catch {
    throw new SdkError('damaged');
  }
}
