import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { errorCode, type ErrorCode } from '../common/errors.js';
import type { Limits } from '../config/limits.js';
import type { LiveTls } from '../config/live-tls.js';
import { hasLastAnswer } from './linger.js';
import { problem } from './problem.js';

/** How often Node.js looks for connections that are too slow, in milliseconds; its default would let them live for half a minute longer. */
const CONNECTION_CHECK_MS = 1000;

const CODES: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'headers-too-large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
};

/** An HTTP server that bounds what a connection may do before a request reaches the program. It speaks TLS and nothing else if it is to. */
export function createGuardedServer(limits: Limits, listener: RequestListener, tls: LiveTls): Server {
  const answer: RequestListener = (request, response) => {
    if (hasLastAnswer(request.socket)) request.resume();
    else listener(request, response);
  };
  const { header_bytes_max: maxHeaderSize } = limits;
  const options = { maxHeaderSize, connectionsCheckingInterval: CONNECTION_CHECK_MS, optimizeEmptyRequests: true };
  if (tls.server === undefined) return guard(createServer(options, answer), limits);
  // Over the plain connection Node.js counts the time of the handshake; that for the headers begins behind it.
  const server = createTlsServer({ ...options, ...tls.server, handshakeTimeout: limits.headers_ms_max }, answer);
  // Node.js would take these for errors of HTTP, and there is no HTTP yet: what could be answered would not be understood.
  server.removeAllListeners('tlsClientError').on('tlsClientError', (_error, socket) => socket.destroy());
  const end = tls.onChange(() => {
    if (tls.server !== undefined) server.setSecureContext(tls.server);
  });
  server.once('close', end);
  return guard(server, limits);
}

/** Where a server listens. */
export function urlOf(server: Server, { scheme }: LiveTls): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

/** Connections that still have an answer to come end with it, instead of keeping the process waiting for a next request. */
export function endConnections(server: Server): void {
  Object.assign(server, { keepAliveTimeout: 1, keepAliveTimeoutBuffer: 0 });
}

function guard(server: Server, limits: Limits): Server {
  server.maxConnections = limits.connections_max;
  server.headersTimeout = limits.headers_ms_max;
  // A large upload may take hours; what ends one that does not go on is the silence of its connection.
  server.requestTimeout = 0;
  server.timeout = limits.idle_ms_max;
  const answers = new Answers();
  server.on('request', ({ socket }, response) => answers.add(socket, response));
  // Node.js would say 100 Continue at once; inviteBody says it when nothing speaks against the body any more.
  server.on('checkContinue', (request, response) => server.emit('request', request, response));
  server.on('clientError', (error, socket) => answerClientError(error, socket, answers.isUnderWay(socket)));
  return server;
}

/** The answers that each connection still owes. */
class Answers {
  private readonly bySocket = new WeakMap<Duplex, Set<ServerResponse>>();

  add(socket: Duplex, response: ServerResponse): void {
    const owed = this.bySocket.get(socket) ?? new Set();
    this.bySocket.set(socket, owed.add(response));
    response.on('close', () => owed.delete(response)); // it closes once, and `once` costs more
  }

  /** Whether a part of an answer was sent: anything else that is written now would land in the middle of a body. */
  isUnderWay(socket: Duplex): boolean {
    return [...(this.bySocket.get(socket) ?? [])].some((response) => response.headersSent);
  }
}

/** Answers what is no HTTP, in our words. */
function answerClientError(error: unknown, socket: Duplex, isUnderWay: boolean): void {
  if (!socket.writable || isUnderWay || errorCode(error) === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const answer = problem(CODES[errorCode(error) ?? ''] ?? 'invalid-request', 'the request could not be read as HTTP');
  const body = JSON.stringify(answer);
  socket.end(
    `HTTP/1.1 ${answer.status} ${answer.title}\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
