import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const ANSWER_MS_MAX = 10_000;

/** What a server sent on one connection until it closed it, or until time was up. */
export interface RawAnswer {
  readonly text: string;
  /** True if the server ended the connection, in whatever way. */
  readonly isClosed: boolean;
}

/** Opens a connection to the server of a URL; the caller destroys it. */
export async function openSocket(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  socket.on('error', () => undefined); // a reset is one of the answers that are looked at
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return socket;
}

/** Sends bytes as they are and reads until the server closes. For what no HTTP client would send. */
export async function exchange(
  url: string,
  request: string | Uint8Array,
  options: { readonly half?: boolean } = {},
): Promise<RawAnswer> {
  const socket = await openSocket(url);
  try {
    if (options.half === true) socket.end(request);
    else socket.write(request);
    return await readToEnd(socket);
  } finally {
    socket.destroy();
  }
}

/** Reads a connection until the server closes it or time is up. */
export async function readToEnd(socket: Socket, msMax = ANSWER_MS_MAX): Promise<RawAnswer> {
  let text = '';
  const read = async (): Promise<true> => {
    try {
      for await (const chunk of socket.iterator({ destroyOnReturn: false })) text += String(chunk);
    } catch {
      return true; // reset by the server
    }
    return true;
  };
  const isClosed = await Promise.race([read(), sleep(msMax, false, { ref: false })]);
  return { text, isClosed };
}

/** The first response in what came over a connection, without chunked decoding. */
export function responseOf({ text }: RawAnswer): Response {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [status = '', ...lines] = head.split('\r\n');
  const headers = lines.map((line) => /^([^:]+):\s*(.*)$/.exec(line)?.slice(1, 3) as [string, string]);
  const code = Number(status.split(' ')[1]);
  return new Response(code === 304 ? null : rest.join('\r\n\r\n'), { status: code, headers });
}
