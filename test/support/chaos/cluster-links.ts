import type { Random } from '../crash/random.ts';
import { type Direction, FaultProxy, type LinkFault } from './fault-proxy.ts';

/** A link as one process has it to another: requests go from the one that asks to the node. */
interface Link {
  readonly asker: number;
  readonly node: number;
}

interface Spoiling {
  readonly fault: LinkFault;
  readonly direction: Direction | undefined;
  /** The node of the process to which requests of clients are passed on; undefined: it may be any. */
  readonly gateway: number | undefined;
}

/** A proxy for each pair of processes of a cluster, in both directions. */
export class ClusterLinks {
  private readonly proxies: ReadonlyMap<string, { readonly link: Link; readonly proxy: FaultProxy }>;

  private constructor(proxies: ClusterLinks['proxies']) {
    this.proxies = proxies;
  }

  static async open(nodes: number, random: Random): Promise<ClusterLinks> {
    const proxies = new Map<string, { readonly link: Link; readonly proxy: FaultProxy }>();
    for (let asker = 1; asker <= nodes; asker += 1) {
      for (let node = 1; node <= nodes; node += 1) {
        const link = { asker, node };
        if (asker !== node) proxies.set(nameOf(link), { link, proxy: await FaultProxy.start(random.fork()) });
      }
    }
    return new ClusterLinks(proxies);
  }

  /** Where a process is told that another one is, which really is at `origin`. */
  origin(link: Link, origin: string): string {
    const found = this.proxies.get(nameOf(link));
    if (found === undefined) throw new RangeError(`there is no link ${nameOf(link)}`);
    found.proxy.target = Number(new URL(origin).port);
    return found.proxy.origin;
  }

  /**
   * Makes all links of a node bad, to it and from it. Bits are turned only where peers prove each byte to each other: what a client sends by
   * way of a peer has nothing that could tell, as it has not on its way to the peer.
   */
  spoil(node: number, { fault, direction, gateway }: Spoiling): void {
    for (const { link, proxy } of this.of(node)) {
      const isForwarding = gateway === undefined || link.node === gateway;
      if (fault.flipShare === undefined || !isForwarding) proxy.set(fault, direction);
    }
  }

  heal(node: number): void {
    for (const { proxy } of this.of(node)) proxy.heal();
  }

  async close(): Promise<void> {
    await Promise.all([...this.proxies.values()].map(({ proxy }) => proxy.close()));
  }

  private of(node: number): readonly { readonly link: Link; readonly proxy: FaultProxy }[] {
    return [...this.proxies.values()].filter(({ link }) => link.asker === node || link.node === node);
  }
}

function nameOf({ asker, node }: Link): string {
  return `${asker} to ${node}`;
}
