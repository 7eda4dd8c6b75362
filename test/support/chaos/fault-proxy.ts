import { EventEmitter, once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../crash/random.ts';

/** What a link does to the bytes that pass it in one direction. Nothing of it: they pass. */
export interface LinkFault {
  /** Each piece waits so long, and the next one behind it: a link with this delay is a slow one, too. */
  readonly delayMs?: number;
  /** Up to so much more, at random. */
  readonly jitterMs?: number;
  /** Nothing passes, and nobody is told: connections stay open. What was held goes on its way when the fault ends. */
  readonly isSilent?: boolean;
  readonly bytesPerSecond?: number;
  /** The share of pieces in which one bit is turned. */
  readonly flipShare?: number;
  /** The share of pieces in place of which the connection is reset; 1: also connections that rest, and new ones. */
  readonly resetShare?: number;
}

/** `to`: from who connects to the server behind the proxy. */
export type Direction = 'to' | 'from';

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Ended when one of both is closed. */
  readonly closing: AbortController;
}

const NO_FAULT: LinkFault = {};
/** Where a throttled piece is cut, so that its bytes drip instead of coming all at once. */
const DRIPS_A_SECOND = 20;

/** A TCP proxy on loopback before one server, of which the links can be made bad at run time, by the random numbers that it was given. */
export class FaultProxy {
  readonly port: number;
  /** The port of the server behind it, which need not be there yet. */
  target = 0;
  private readonly server: Server;
  private readonly random: Random;
  private readonly links = new Set<Link>();
  private readonly changes = new EventEmitter();
  private readonly faults: Record<Direction, LinkFault> = { to: NO_FAULT, from: NO_FAULT };

  private constructor(server: Server, port: number, random: Random) {
    this.server = server;
    this.port = port;
    this.random = random;
    this.changes.setMaxListeners(0); // one for each connection that is held
  }

  static async start(random: Random): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    const proxy = new FaultProxy(server, address.port, random);
    server.on('connection', (client) => void proxy.serve(client));
    return proxy;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** From now on, also for connections that are open. */
  set(fault: LinkFault, direction?: Direction): void {
    if (direction !== 'from') this.faults.to = fault;
    if (direction !== 'to') this.faults.from = fault;
    if ((fault.resetShare ?? 0) >= 1) this.resetAll();
    this.changes.emit('change');
  }

  heal(): void {
    this.set(NO_FAULT);
  }

  /** Breaks every connection that is open. */
  resetAll(): void {
    for (const link of this.links) breakLink(link);
  }

  async close(): Promise<void> {
    this.resetAll();
    if (!this.server.listening) return;
    this.server.close();
    await once(this.server, 'close');
  }

  private async serve(client: Socket): Promise<void> {
    const link = {
      client,
      server: connect({ host: '127.0.0.1', port: this.target, allowHalfOpen: true }),
      closing: new AbortController(),
    };
    this.links.add(link);
    for (const socket of [link.client, link.server]) {
      socket.on('error', () => breakLink(link)); // as the other side sees it: a reset
      socket.on('close', () => link.closing.abort());
    }
    if (Object.values(this.faults).some(({ resetShare = 0 }) => resetShare >= 1)) breakLink(link);
    await Promise.all([this.pass(link, 'to'), this.pass(link, 'from')]);
    breakLink(link);
    this.links.delete(link);
  }

  private async pass(link: Link, direction: Direction): Promise<void> {
    const [source, sink] = direction === 'to' ? [link.client, link.server] : [link.server, link.client];
    try {
      for await (const piece of source as AsyncIterable<Buffer>) {
        for (const part of this.parts(piece, direction)) await this.forward(part, { link, sink, direction });
      }
      await this.untilHeard(direction, link.closing.signal);
      sink.end();
    } catch {
      breakLink(link); // the source was reset, or the link was closed while a piece was held
    }
  }

  private *parts(piece: Buffer, direction: Direction): Generator<Buffer, void, undefined> {
    const { bytesPerSecond } = this.faults[direction];
    const step = bytesPerSecond === undefined ? piece.length : Math.max(1, Math.ceil(bytesPerSecond / DRIPS_A_SECOND));
    for (let at = 0; at < piece.length; at += step) yield piece.subarray(at, at + step);
  }

  private async forward(
    piece: Buffer,
    { link, sink, direction }: { readonly link: Link; readonly sink: Socket; readonly direction: Direction },
  ): Promise<void> {
    const { signal } = link.closing;
    await this.untilHeard(direction, signal);
    const { delayMs = 0, jitterMs = 0, bytesPerSecond, flipShare = 0, resetShare = 0 } = this.faults[direction];
    const dripMs = bytesPerSecond === undefined ? 0 : (piece.length / bytesPerSecond) * 1000;
    const ms = delayMs + dripMs + this.random.below(jitterMs + 1);
    if (ms > 0) await sleep(ms, undefined, { signal });
    if (this.random.chance(resetShare)) throw new Error('reset');
    const sent = this.random.chance(flipShare) ? flipBit(piece, this.random) : piece;
    if (!sink.write(sent)) await once(sink, 'drain', { signal });
  }

  /** Waits while nothing passes. */
  private async untilHeard(direction: Direction, signal: AbortSignal): Promise<void> {
    while (this.faults[direction].isSilent === true) await once(this.changes, 'change', { signal });
  }
}

function breakLink({ client, server, closing }: Link): void {
  closing.abort();
  for (const socket of [client, server]) {
    // A socket that still connects cannot be reset, and one that is being shut down would never be closed by it.
    if (socket.connecting || (socket.writableEnded && !socket.writableFinished)) socket.destroy();
    else if (!socket.destroyed) socket.resetAndDestroy();
  }
}

function flipBit(piece: Buffer, random: Random): Buffer {
  const copy = Buffer.from(piece);
  const at = random.below(copy.length);
  copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
  return copy;
}
