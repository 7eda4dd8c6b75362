import type { IncomingMessage } from 'node:http';
import { isIPv4 } from 'node:net';

/** Where a client is. */
export interface ClientPlace {
  /** Its address; empty if the system does not know any more. */
  readonly address: string;
  /** Whether it is on the machine that it sent its request to. */
  readonly isLocal: boolean;
}

interface Addresses {
  readonly remoteAddress?: string | undefined;
  readonly localAddress?: string | undefined;
}

/** That a request came through a peer. */
export interface Forwarding {
  /** The number of the peer. */
  readonly node: number;
  /** Who sent it to the peer. */
  readonly client: ClientPlace;
  /** Absent: the peer takes no tickets. */
  readonly tickets?: TicketProver;
}

/** What passes between the gateway and a peer that takes tickets, each proved for this request alone. */
export interface TicketProver {
  readonly prove: (ticket: Uint8Array) => string;
  readonly isReport: (report: Uint8Array, proof: string) => boolean;
}

const forwardings = new WeakMap<IncomingMessage, Forwarding>();
const proxied = new WeakMap<IncomingMessage, ClientPlace>();

/** Notes that a request came through a peer, which has proved it. */
export function noteForwarding(request: IncomingMessage, forwarding: Forwarding): void {
  forwardings.set(request, forwarding);
}

/** Notes for whom a proxy that is trusted has sent a request. */
export function noteProxied(request: IncomingMessage, address: string): void {
  const { localAddress } = request.socket;
  // A proxy elsewhere may have clients on its own machine, which is not this one.
  proxied.set(request, {
    address,
    isLocal: isOfThisMachine(request.socket) && isOfThisMachine({ remoteAddress: address, localAddress }),
  });
}

/** The number of the peer through which a request came; undefined if the client sent it here. */
export function forwarderOf(request: IncomingMessage): number | undefined {
  return forwardings.get(request)?.node;
}

/** Undefined for a request that came through no peer that takes tickets. */
export function ticketProverOf(request: IncomingMessage): TicketProver | undefined {
  return forwardings.get(request)?.tickets;
}

/** Where the client is: as the peer says that passed its request on, or a proxy that is trusted, or as the connection does. */
export function clientOf(request: IncomingMessage): ClientPlace {
  const { socket } = request;
  const said = forwardings.get(request)?.client ?? proxied.get(request);
  return said ?? { address: socket.remoteAddress ?? '', isLocal: isOfThisMachine(socket) };
}

/** From the loopback, or from the address at which it arrived. One that was reset has no address any more, and could be from anywhere. */
function isOfThisMachine({ remoteAddress, localAddress }: Addresses): boolean {
  if (remoteAddress === undefined || remoteAddress === '') return false;
  if (remoteAddress === localAddress || remoteAddress === '::1') return true;
  const plain = remoteAddress.replace(/^::ffff:/, '');
  return isIPv4(plain) && plain.startsWith('127.');
}
