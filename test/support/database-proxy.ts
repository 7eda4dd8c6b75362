import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Where the link breaks, once, when something is sent through it: on the way there, or on the way back, when it was done. */
export type Cut = 'request' | 'answer';

/** A link to a database that can break at the worst moment. */
export class DatabaseProxy {
  private readonly sockets = new Set<Socket>();
  private cut: Cut | undefined;
  private isWhole = false;
  private last: Uint8Array | undefined;

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

  /**
   * @param isWhole whether all connections break with it
   * @param last what arrives in place of what was sent, before it breaks
   */
  breakAt(cut: Cut, isWhole = false, last?: Uint8Array): void {
    this.cut = cut;
    this.isWhole = isWhole;
    this.last = last;
  }

  /** Breaks the one link that the database sees at this port. */
  drop(port: number): void {
    for (const socket of this.sockets) if (socket.localPort === port) socket.destroy();
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
        if (this.cut === direction) {
          await this.breakOff(from, to);
          return;
        }
        to.write(bytes as Buffer);
      }
      to.end();
    } catch {
      to.destroy(); // it was cut, or its other end was
    }
  }

  private async breakOff(from: Socket, to: Socket): Promise<void> {
    const { last = new Uint8Array(), isWhole, sockets } = this;
    this.cut = undefined;
    await new Promise<void>((resolve) => void to.end(last, () => resolve()));
    for (const socket of isWhole ? sockets : [from, to]) socket.destroy();
  }
}
