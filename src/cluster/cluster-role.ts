import type { IncomingMessage, ServerResponse } from 'node:http';

/** What a process of a cluster does for clients at present. */
export interface ClusterRole {
  readonly name: 'gateway' | 'peer';
  readonly answer: (request: IncomingMessage, response: ServerResponse) => void;
  /** Reads the configuration anew. @throws DomainError */
  readonly reload: () => Promise<void>;
  /** Ends it; safe to call twice. */
  readonly close: () => Promise<void>;
}
