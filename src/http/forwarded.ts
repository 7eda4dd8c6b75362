import type { IncomingMessage } from 'node:http';

const forwarders = new WeakMap<IncomingMessage, number>();

/** Notes that a request came through a peer, which has proved it. */
export function noteForwarder(request: IncomingMessage, node: number): void {
  forwarders.set(request, node);
}

/** The number of the peer through which a request came; undefined if the client sent it here. */
export function forwarderOf(request: IncomingMessage): number | undefined {
  return forwarders.get(request);
}
