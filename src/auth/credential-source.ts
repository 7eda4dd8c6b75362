import type { FileId } from '../common/ids.js';
import type { Principal } from '../http/principal.js';

/** What a credential is compared with, and whom it shows. */
export interface Credential {
  /** SHA-256 of its secret. */
  readonly hash: Uint8Array;
  readonly principal: Principal;
  /** Milliseconds since 1970; Infinity: never. */
  readonly expiresAt: number;
}

/** Knows the credentials of one kind, by their ids. Bound by registering it with the authenticator. */
export abstract class CredentialSource {
  /** Three letters that such a credential begins with, like `dct`. */
  abstract readonly kind: string;

  /** One that was accepted lately and still is, at once. */
  abstract known(id: FileId): Credential | undefined;

  /** One that may be accepted now; undefined if there is none, or its account is disabled. */
  abstract find(id: FileId, signal: AbortSignal): Promise<Credential | undefined>;

  /** That one of {@link find} or {@link known} was accepted. */
  abstract accepted(id: FileId, credential: Credential): void;
}
