import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Where the link breaks, once, when something is sent through it: on the way there, or on the way back, when it was done. */
export type Cut = 'request' | 'answer';

/** A link to a database that can break at the worst moment. */
export class DatabaseProxy {
  private readonly sockets = new Set<Socket>();
  private cut: Cut | undefined;
  private isWhole = false;

  private constructor(
    private readonly server: Server,
    private readonly target: number,
  ) {}

  static async to(target: number): Promise<DatabaseProxy> {
    const server = createServer();
    const proxy = new DatabaseProxy(server, target);
    server.on('connection', (client) => proxy.join(client));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** @param isWhole whether all connections break with it */
  breakAt(cut: Cut, isWhole = false): void {
    this.cut = cut;
    this.isWhole = isWhole;
  }

  async close(): Promise<void> {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await once(this.server, 'close');
  }

  private join(client: Socket): void {
    const database = connect(this.target, '127.0.0.1');
    for (const socket of [client, database]) {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.sockets.delete(socket);
        client.destroy();
        database.destroy();
      });
    }
    void this.pass(client, database, 'request');
    void this.pass(database, client, 'answer');
  }

  private async pass(from: Socket, to: Socket, direction: Cut): Promise<void> {
    try {
      for await (const bytes of from) {
        if (this.breaks(direction, [from, to])) return;
        to.write(bytes as Buffer);
      }
      to.end();
    } catch {
      to.destroy(); // it was cut, or its other end was
    }
  }

  private breaks(direction: Cut, link: readonly Socket[]): boolean {
    if (this.cut !== direction) return false;
    this.cut = undefined;
    for (const socket of this.isWhole ? this.sockets : link) socket.destroy();
    return true;
  }
}
