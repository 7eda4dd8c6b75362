import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';

type Which = (call: string) => boolean;

interface Gate {
  readonly isHeld: Which;
  readonly release: PromiseWithResolvers<undefined>;
  readonly reached: PromiseWithResolvers<undefined>;
}

/** An HTTP proxy on loopback before one server that tells which calls passed it, such as `PUT /drive/…`, and can hold some back. */
export class GateProxy {
  readonly calls: string[] = [];
  private gate: Gate | undefined;
  private readonly server: Server;
  private readonly target: string;

  private constructor(server: Server, target: string) {
    this.server = server;
    this.target = target;
  }

  static async before(target: string): Promise<GateProxy> {
    const server = createServer();
    const proxy = new GateProxy(server, target);
    server.on('request', (asked: IncomingMessage, answer: ServerResponse) => {
      proxy.pass(asked, answer).catch(() => answer.destroy()); // one of both is gone, and the other sees it
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** How many calls of a kind passed since the list was emptied. */
  count(pattern: RegExp): number {
    return this.calls.filter((call) => pattern.test(call)).length;
  }

  /**
   * From now on calls of this kind do not reach the server, but for the first ones of them.
   * @returns when one is held
   */
  hold(pattern: RegExp, passing = 0): Promise<undefined> {
    let left = passing;
    const isHeld = (call: string): boolean => pattern.test(call) && (left -= 1) < 0;
    this.gate = { isHeld, release: Promise.withResolvers(), reached: Promise.withResolvers() };
    return this.gate.reached.promise;
  }

  /** Lets everything pass, with what is held. */
  release(): void {
    this.gate?.release.resolve(undefined);
    this.gate = undefined;
  }

  async close(): Promise<void> {
    this.release();
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async pass(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = asked;
    const call = `${method} ${url}`;
    const { gate } = this;
    if (gate?.isHeld(call) === true) {
      gate.reached.resolve(undefined);
      await gate.release.promise;
    }
    if (asked.destroyed) return; // who asked was killed meanwhile
    this.calls.push(call);
    const onward = request(`${this.target}${url}`, { method, headers });
    const [, response] = await Promise.all([pipeline(asked, onward), once(onward, 'response')]);
    const [got] = response as [IncomingMessage];
    answer.writeHead(got.statusCode ?? 502, got.headers);
    await pipeline(got, answer);
  }
}
