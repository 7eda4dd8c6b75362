import type { IncomingMessage, ServerResponse } from 'node:http';
import type { PeerHello } from '../nodes/peer/peer-hello.js';
import type { ReadDesk } from '../nodes/peer/read-desk.js';

export type HeardGateway = Pick<PeerHello, 'hears' | 'keys'>;

/** What a process of a cluster does for clients at present. */
export interface ClusterRole {
  readonly name: 'gateway' | 'peer';
  readonly answer: (request: IncomingMessage, response: ServerResponse) => void;
  /** What it does for peers that read in its place. Absent: it is one of them. */
  readonly desk?: ReadDesk;
  /** Who serves, as far as is known; see {@link PeerHello}. */
  readonly heard: () => HeardGateway;
  /** For how long nobody has served, as far as this process can tell, milliseconds. */
  readonly silentMs: () => number;
  /** Reads the configuration anew. @throws DomainError */
  readonly reload: () => Promise<void>;
  /** Ends it; safe to call twice. */
  readonly close: () => Promise<void>;
}
