import { SdkError } from './errors.js';
import { JsonObject } from './json-object.js';
import { backOff, isRetriable, networkError } from './retries.js';
import { serverError } from './server-errors.js';
import { idleStream, TimeLimit } from './time-limit.js';

/** Of a request without a large body, until its answer is there; of a download, between two of its chunks. */
const IDLE_MS = 60_000;
/** The slowest line that a body is sent over. */
const BODY_BYTES_PER_MS = 16;
/** A server that sends more JSON than this does it to stop us: the longest answers are pages of records and manifests. */
const JSON_BYTES_MAX = 2 ** 26;

export interface Call {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** With its query; what comes from outside is encoded. */
  readonly path: string;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly bytes?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether doing it twice is as good as once, so that it may be sent again whatever became of the first. Absent: of GET it is. */
  readonly isRepeatable?: boolean;
}

export interface Answer {
  /** An empty object for 204. */
  readonly body: JsonObject;
  readonly etag: string | undefined;
}

export interface StreamAnswer {
  readonly body: AsyncIterable<Uint8Array>;
  readonly size: number | undefined;
}

export interface TransportOptions {
  readonly fetch?: typeof fetch;
  readonly idleMs?: number;
  /** Waits; rejects with the signal's reason. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Speaks HTTP to one server. It follows no redirects, for they would take a credential elsewhere; it keeps no cookies; and it repeats what is safe to
 * repeat. Its errors are an SdkError with nothing in it that a server or a user wrote, or the reason of the signal.
 */
export class Transport {
  /** @param origin `https://host`, as `serverOrigin` gives it */
  constructor(
    readonly origin: string,
    private readonly options: TransportOptions = {},
    private readonly credential?: string,
  ) {}

  /** The same server, as somebody: a session or what a link gave. */
  as(credential: string | undefined): Transport {
    return new Transport(this.origin, this.options, credential);
  }

  async json(call: Call, signal: AbortSignal): Promise<Answer> {
    return this.repeated(call, signal, async () => {
      const limit = new TimeLimit(signal, this.limitMs(call));
      try {
        const response = await this.request(call, limit.signal);
        const text = await readText(response, limit);
        return { body: parseObject(text), etag: response.headers.get('etag') ?? undefined };
      } catch (cause) {
        throw this.failure(call, signal, cause);
      } finally {
        limit.end();
      }
    });
  }

  /** The body of a GET. Only its begin is repeated; whoever reads on asks again from where it broke off. */
  async stream(call: Call, signal: AbortSignal): Promise<StreamAnswer> {
    return this.repeated(call, signal, async () => {
      const limit = new TimeLimit(signal, this.limitMs(call));
      try {
        const response = await this.request(call, limit.signal);
        const length = response.headers.get('content-length');
        const body = idleStream(response.body, limit, (cause) => this.failure(call, signal, cause));
        return { body, size: length === null ? undefined : Number(length) };
      } catch (cause) {
        limit.end();
        throw this.failure(call, signal, cause);
      }
    });
  }

  private async request({ method, path, json, bytes, headers }: Call, signal: AbortSignal): Promise<Response> {
    const body = json === undefined ? (bytes as Uint8Array<ArrayBuffer> | undefined) : JSON.stringify(json);
    const type = json === undefined ? bytes && 'application/octet-stream' : 'application/json';
    const response = await (this.options.fetch ?? globalThis.fetch)(`${this.origin}${path}`, {
      method,
      headers: {
        ...(type !== undefined && { 'Content-Type': type }),
        ...(this.credential !== undefined && { Authorization: `Bearer ${this.credential}` }),
        ...headers,
      },
      ...(body !== undefined && { body }),
      signal,
      redirect: 'error',
      credentials: 'omit',
      cache: 'no-store',
      referrerPolicy: 'no-referrer',
    });
    if (response.ok) return response;
    const code = await problemCode(response);
    throw serverError(response.status, code, response.headers.get('retry-after'));
  }

  private async repeated<Result>(call: Call, signal: AbortSignal, attempt: () => Promise<Result>): Promise<Result> {
    for (let attempts = 1; ; attempts += 1) {
      signal.throwIfAborted();
      try {
        return await attempt();
      } catch (error) {
        if (!isRetriable(error, { attempts, isRepeatable: isRepeatable(call) })) throw error;
        await (this.options.sleep ?? sleep)(backOff(error, attempts), signal);
      }
    }
  }

  private failure(call: Call, signal: AbortSignal, cause: unknown): unknown {
    if (signal.aborted) return signal.reason;
    return cause instanceof SdkError ? cause : networkError(cause, isRepeatable(call));
  }

  private limitMs({ bytes }: Call): number {
    return (this.options.idleMs ?? IDLE_MS) + (bytes?.length ?? 0) / BODY_BYTES_PER_MS;
  }
}

/** The one form of a server's address. @throws SdkError `invalid-address` */
export function serverOrigin(address: string): string {
  if (!URL.canParse(address)) throw new SdkError('invalid-address');
  const url = new URL(address);
  const isPlain = url.search === '' && url.hash === '' && url.username === '' && url.password === '' && url.pathname === '/';
  if (!isPlain || !/^https?:$/u.test(url.protocol)) throw new SdkError('invalid-address');
  return url.origin;
}

/** The `Repr-Digest` of a body (RFC 9530). @param sha256 of the body */
export function reprDigest(sha256: Uint8Array): string {
  return `sha-256=:${globalThis.btoa(String.fromCharCode(...sha256))}:`;
}

function isRepeatable({ method, isRepeatable: said }: Call): boolean {
  return said ?? method === 'GET';
}

async function problemCode(response: Response): Promise<unknown> {
  try {
    return ((await response.json()) as { code?: unknown } | null)?.code;
  } catch {
    return undefined; // of a proxy, or broken off: the status says enough
  }
}

async function readText(response: Response, limit: TimeLimit): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of idleStream(response.body, limit, (cause) => cause)) {
    length += chunk.length;
    if (length > JSON_BYTES_MAX) throw new SdkError('damaged');
    chunks.push(chunk);
  }
  const whole = new Uint8Array(length);
  let end = 0;
  for (const chunk of chunks) {
    whole.set(chunk, end);
    end += chunk.length;
  }
  return new TextDecoder().decode(whole);
}

function parseObject(text: string): JsonObject {
  if (text === '') return new JsonObject({});
  try {
    return new JsonObject(JSON.parse(text));
  } catch {
    throw new SdkError('damaged'); // the cause would quote what the server sent
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the reason is whatever the caller gave
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
