import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** How a load went. */
export interface LoadResult {
  readonly seconds: number;
  readonly operations: number;
  /** Latencies in milliseconds, sorted. */
  readonly latencies: readonly number[];
}

/** What one client does next: the head of a request and its body. */
export interface NextRequest {
  readonly head: string;
  readonly body?: Buffer;
  /** How often the body is sent, behind each other; once if absent. */
  readonly times?: number;
  /** Gets the beginning of the answer's body. */
  readonly onAnswer?: (body: string) => void;
}

export interface LoadSize {
  readonly clients: number;
  readonly operations: number;
}

/** Bytes of an answer that are handed on; the rest is only counted. */
const BEGINNING_BYTES = 4096;
/** Requests of a paced load that are under way at once; beyond that they wait, and the wait counts. */
const PACED_WIDTH = 128;

/**
 * The smallest HTTP/1.1 client that keeps connections alive, so that the client costs as little as it can beside the server that is
 * measured. Anything but 2xx with a Content-Length fails the run.
 */
class Connection {
  private readonly socket: Socket;
  private readonly chunks: AsyncIterator<Buffer, undefined>;

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.chunks = this.socket[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
  }

  /** Sends a request; returns the beginning of the answer's body (all of it, if it is short). */
  async ask({ head, body, times = 1 }: NextRequest): Promise<string> {
    if (body !== undefined && body.length <= 65_536 && times === 1) this.socket.write(Buffer.concat([Buffer.from(head), body]));
    else {
      this.socket.write(head);
      for (let sent = 0; body !== undefined && sent < times; sent += 1)
        if (!this.socket.write(body)) await once(this.socket, 'drain');
    }
    return this.answer(head.startsWith('HEAD '));
  }

  close(): void {
    this.socket.destroy();
  }

  /** Nothing is sent before an answer is complete, so nothing follows it either. */
  private async answer(hasNoBody: boolean): Promise<string> {
    let text = Buffer.alloc(0);
    let end = -1;
    while (end < 0) {
      text = Buffer.concat([text, await this.next()]);
      end = text.indexOf('\r\n\r\n');
    }
    const head = text.subarray(0, end).toString('latin1');
    const hasNone = hasNoBody || head.startsWith('HTTP/1.1 204');
    const length = hasNone ? 0 : Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1]);
    if (!head.startsWith('HTTP/1.1 2') || Number.isNaN(length)) throw new Error(`the server answered ${head}`);
    let beginning = text.subarray(end + 4);
    for (let seen = beginning.length; seen < length;) {
      const chunk = await this.next();
      seen += chunk.length;
      if (beginning.length < BEGINNING_BYTES) beginning = Buffer.concat([beginning, chunk]);
    }
    return beginning.subarray(0, BEGINNING_BYTES).toString();
  }

  private async next(): Promise<Buffer> {
    const step = await this.chunks.next();
    if (step.done === true) throw new Error('the server closed the connection');
    return step.value;
  }
}

/** Runs clients side by side, each one request after the other, until `operations` are done. */
export async function runLoad(
  port: number,
  { clients, operations }: LoadSize,
  request: (operation: number) => NextRequest,
  onAnswer: (body: string) => void = () => undefined,
): Promise<LoadResult> {
  const connections = Array.from({ length: clients }, () => new Connection(port));
  const latencies: number[] = [];
  let next = 0;
  const started = performance.now();
  await Promise.all(
    connections.map(async (connection) => {
      while (next < operations) {
        const begin = performance.now();
        const asked = request(next++);
        const answer = await connection.ask(asked);
        latencies.push(performance.now() - begin);
        onAnswer(answer);
        asked.onAnswer?.(answer);
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  for (const connection of connections) connection.close();
  return { seconds, operations, latencies: latencies.sort((a, b) => a - b) };
}

/**
 * Sends so many requests a second, however long earlier ones take, until the signal is aborted; resolves when all are answered. Each is told with
 * its latency, from when it was to be sent and not from when it was, so that a server that stalls hides nothing (coordinated omission).
 */
export async function runPaced(
  port: number,
  { rate, signal }: { readonly rate: number; readonly signal: AbortSignal },
  request: (operation: number) => NextRequest,
  onAnswer: (latencyMs: number, dueAt: number) => void,
): Promise<void> {
  const idle: Connection[] = [];
  const running = new Set<Promise<void>>();
  const send = async (operation: number, dueAt: number): Promise<void> => {
    // The one that has rested longest: the server closes those that rest too long.
    const connection = idle.shift() ?? new Connection(port);
    await connection.ask(request(operation));
    idle.push(connection);
    onAnswer(performance.now() - dueAt, dueAt);
  };
  const began = performance.now();
  for (let operation = 0; !signal.aborted; operation += 1) {
    const dueAt = began + (operation * 1000) / rate;
    const early = dueAt - performance.now();
    if (early > 0) await sleep(early);
    while (running.size >= PACED_WIDTH) await Promise.race(running);
    const sent = send(operation, dueAt).finally(() => running.delete(sent));
    running.add(sent);
  }
  await Promise.all(running);
  for (const connection of idle) connection.close();
}
