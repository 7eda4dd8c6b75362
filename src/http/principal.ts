import type { IncomingMessage } from 'node:http';
import { DomainError } from '../common/errors.js';
import type { OwnerId } from '../common/ids.js';

/** What a principal may do: read, change, look after the store and its accounts. */
export type Scope = 'read' | 'write' | 'admin';

/** Who asks. Each request has one; that of a store without accounts is the store itself. */
export interface Principal {
  /** Whose files it sees and makes. */
  readonly owner: OwnerId;
  readonly scopes: ReadonlySet<Scope>;
  /** What the names of all files that it may touch begin with; '' is all. */
  readonly prefix: string;
  /** What it proved itself with, for the audit log; '' if it did not. */
  readonly credentialId: string;
  /** Of the account; never logged. */
  readonly name: string;
  /** What the addresses of all requests that it may send begin with; absent: any. */
  readonly within?: string;
}

/** On the request itself: it costs each one next to nothing, where a map beside them costs the collector. */
const PRINCIPAL = Symbol('principal');
type Marked = IncomingMessage & { [PRINCIPAL]?: Principal };

/** Notes who sent a request, which has been checked. */
export function notePrincipal(request: IncomingMessage, principal: Principal): void {
  (request as Marked)[PRINCIPAL] = principal;
}

/** Who sent a request, if that was found out. */
export function knownPrincipalOf(request: IncomingMessage): Principal | undefined {
  return (request as Marked)[PRINCIPAL];
}

/** Who sent a request. Only open routes (health, documents) have requests of nobody. */
export function principalOf(request: IncomingMessage): Principal {
  const principal = knownPrincipalOf(request);
  if (principal === undefined) throw new TypeError('a request came past the guard');
  return principal;
}

/** @throws DomainError `forbidden` */
export function requireScope(principal: Principal, scope: Scope): void {
  if (!principal.scopes.has(scope)) throw new DomainError('forbidden', `this credential has not the scope "${scope}"`);
}

/** @throws DomainError `forbidden` if it may not call this address at all */
export function requireWithin({ within }: Principal, { url = '' }: IncomingMessage): void {
  if (within === undefined || url.startsWith(within)) return;
  throw new DomainError('forbidden', `this credential is for ${within}… alone`);
}
