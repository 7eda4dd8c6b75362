import type { IncomingMessage } from 'node:http';
import type { Principal } from './principal.js';

/** Finds out who sent a request. */
export abstract class Authenticator {
  /**
   * Who sent it: at once wherever that is known, so that a caller in a hurry need not wait for a promise. A store without accounts is open, and
   * everybody is the store itself.
   * @throws DomainError `unauthenticated`, `too-many-attempts`
   */
  abstract authenticate(request: IncomingMessage): Principal | Promise<Principal>;
}
