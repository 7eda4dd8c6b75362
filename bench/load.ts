import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

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
}

/** Bytes of an answer that are handed on; the rest is only counted. */
const BEGINNING_BYTES = 4096;

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
  async ask({ head, body }: NextRequest): Promise<string> {
    if (body === undefined || body.length > 65_536) this.socket.write(head);
    if (body !== undefined && body.length > 65_536) {
      if (!this.socket.write(body)) await once(this.socket, 'drain');
    } else if (body !== undefined) this.socket.write(Buffer.concat([Buffer.from(head), body]));
    return this.answer();
  }

  close(): void {
    this.socket.destroy();
  }

  /** Nothing is sent before an answer is complete, so nothing follows it either. */
  private async answer(): Promise<string> {
    let text = Buffer.alloc(0);
    let end = -1;
    while (end < 0) {
      text = Buffer.concat([text, await this.next()]);
      end = text.indexOf('\r\n\r\n');
    }
    const head = text.subarray(0, end).toString('latin1');
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1]);
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
  { clients, operations }: { readonly clients: number; readonly operations: number },
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
        onAnswer(await connection.ask(request(next++)));
        latencies.push(performance.now() - begin);
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  for (const connection of connections) connection.close();
  return { seconds, operations, latencies: latencies.sort((a, b) => a - b) };
}
