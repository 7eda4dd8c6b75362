/** A real server, and people who use it by the SDK; and what can go wrong between the two. */
import { connect, type ConnectOptions } from '../../src/sdk/connect.js';
import type { Drive } from '../../src/sdk/drive-api.js';
import { nodeFloe } from '../../src/sdk/node-floe-back-end.js';
import { addAccount, initAdmin } from './accounts.js';
import { Client } from './client.js';
import { answerOf } from './logins.js';
import { TestServer, type ServerOptions } from './server.js';

export const PASSWORD = 'a password nobody else has: quokka-72';
const GENEROUS = { failed_attempts_max: 1000, login_attempts_max: 1000 };

export class SdkServer {
  private constructor(
    readonly server: TestServer,
    private readonly admin: Client,
  ) {}

  static async start(options: ServerOptions = {}): Promise<SdkServer> {
    const server = await TestServer.start({ ...options, config: { limits: GENEROUS, ...options.config } });
    return new SdkServer(server, new Client(server.url, undefined, await initAdmin(server.url, server.storage)));
  }

  /** Somebody new. @param options such as a `fetch` that does what a bad network or server does */
  async join(userName: string, options: ConnectOptions = {}): Promise<Drive> {
    const account = await addAccount(this.admin, { name: userName });
    const { invitation } = await answerOf(this.admin.json('POST', '/auth/invitations', { account }));
    const gate = await connect(this.server.url, { floe: nodeFloe, ...options });
    return (await gate.register({ userName, password: PASSWORD, invitation: invitation! })).drive;
  }

  /** The same person on another device. */
  async login(userName: string, options: ConnectOptions = {}): Promise<Drive> {
    return (await connect(this.server.url, { floe: nodeFloe, ...options })).login({ userName, password: PASSWORD });
  }

  async remove(): Promise<void> {
    await this.server.remove();
  }
}

export interface Passing {
  readonly method: string;
  readonly path: string;
  readonly init: RequestInit;
}

/** A network that a test has its hands in. */
export class TamperedNet {
  readonly requests: string[] = [];
  /** Throws for a request that is lost before it arrives. */
  before: (passing: Passing) => void | Promise<void> = () => undefined;
  /** What becomes of an answer; by default nothing. */
  answer: (passing: Passing, response: Response) => Response | Promise<Response> = (_, response) => response;

  readonly fetch = async (url: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const { pathname, search } = new URL(url instanceof Request ? url.url : url);
    const passing = { method: init.method ?? 'GET', path: pathname + search, init };
    this.requests.push(`${passing.method} ${passing.path}`);
    await this.before(passing);
    return this.answer(passing, await fetch(url, init));
  };

  honest(): void {
    this.before = () => undefined;
    this.answer = (_, response) => response;
  }
}

/** The answer with its JSON changed. */
export async function rewritten(response: Response, change: (json: Record<string, unknown>) => unknown): Promise<Response> {
  const json = (await response.json()) as Record<string, unknown>;
  return new Response(JSON.stringify(change(json)), { status: response.status, headers: { 'content-type': 'application/json' } });
}

/** Breaks a body off after so many bytes: with an error, or as if it had ended. */
export function cut(response: Response, bytesMax: number, how: 'broken' | 'ended'): Response {
  let left = bytesMax;
  const cutter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      controller.enqueue(chunk.subarray(0, left));
      left -= Math.min(left, chunk.length);
      if (left > 0) return;
      if (how === 'broken') controller.error(new TypeError('terminated'));
      else controller.terminate();
    },
  });
  return new Response(response.body!.pipeThrough(cutter), { status: response.status });
}
