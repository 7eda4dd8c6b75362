import { DomainError, isErrorCode } from '../common/errors.js';

/** Where a server listens that nothing was said of. */
export const DEFAULT_URL = 'http://127.0.0.1:5000';
const CALL_MS_MAX = 60_000;

/** Options of every command that talks to a server. */
export interface ApiFlags {
  readonly url?: string;
}

/** One call. */
export interface ApiCall {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: object;
}

/** Calls the REST API of a server. */
export class ApiClient {
  constructor(
    private readonly url: string,
    /** Never from the command line, where everybody on the machine can read it. */
    private readonly token: string | undefined,
  ) {}

  /** For the server that flags or environment name, with the token of the environment. */
  static of({ url }: ApiFlags): ApiClient {
    return new ApiClient(url ?? process.env['DCLOUD_URL'] ?? DEFAULT_URL, process.env['DCLOUD_TOKEN']);
  }

  /** The JSON of the answer; undefined if it has none. @throws DomainError with the code that the server answered, `server-unreachable` */
  async call(call: ApiCall): Promise<unknown> {
    const response = await this.fetch(call, AbortSignal.timeout(CALL_MS_MAX));
    if (response.status === 204) return undefined;
    const answer = await this.parse(response);
    if (response.ok) return answer;
    throw this.errorOf(answer);
  }

  /** The bytes of the answer, however long they take. Throws as `call`, and if they break off. */
  async *bytes(call: ApiCall, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const response = await this.fetch(call, signal);
    if (!response.ok) throw this.errorOf(await this.parse(response));
    if (response.headers.get('content-type') !== 'application/octet-stream' || response.body === null) throw this.stranger();
    try {
      for await (const piece of response.body) yield piece as Uint8Array;
    } catch (cause) {
      throw new DomainError('server-unreachable', `the answer of ${this.url} broke off`, { cause });
    }
  }

  private errorOf(answer: unknown): DomainError {
    const { code, detail } = answer as { code?: unknown; detail?: unknown };
    return isErrorCode(code) ? new DomainError(code, String(detail)) : this.stranger();
  }

  private async fetch({ method, path, body }: ApiCall, signal: AbortSignal): Promise<Response> {
    try {
      return await fetch(new URL(path, this.url), {
        method,
        headers: {
          ...(this.token !== undefined && { Authorization: `Bearer ${this.token}` }),
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        redirect: 'error', // the token is for this server
        signal,
      });
    } catch (cause) {
      throw new DomainError('server-unreachable', `there is no answer from ${this.url}`, { cause });
    }
  }

  private async parse(response: Response): Promise<unknown> {
    try {
      return await response.json();
    } catch (cause) {
      throw this.stranger(cause);
    }
  }

  private stranger(cause?: unknown): DomainError {
    return new DomainError('server-unreachable', `what answers at ${this.url} is no DistributedCloud`, { cause });
  }
}
