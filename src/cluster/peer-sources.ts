import type { AppConfig } from '../config/app-config.js';
import type { LiveTls } from '../config/live-tls.js';
import { DeadlineStorageNode } from '../nodes/deadline.storage-node.js';
import type { LocalNode } from '../nodes/peer/local-node.js';
import type { PeerSecret } from '../nodes/peer/peer-secret.js';
import { PeerStorageNode } from '../nodes/peer/peer.storage-node.js';
import type { StorageNode } from '../nodes/storage-node.js';

/** Of the time that a gateway waits for a copy: what is to be copied from must not make it lose patience with who copies. */
const PATIENCE_SHARE = 0.5;

/** What the process knows of itself and of the others. */
export interface SourceParts {
  readonly config: AppConfig;
  readonly secret: PeerSecret;
  readonly tls: LiveTls;
  readonly local: LocalNode;
}

interface Source {
  readonly nodeId: string;
  readonly origin: string;
  readonly node: StorageNode;
}

/** The nodes of other processes as this one reads them when its own is to copy from them: those that its own map names. */
export class PeerSources {
  private readonly open = new Map<number, Source>();
  private isClosed = false;

  constructor(private readonly parts: SourceParts) {}

  /** Undefined for this process' own node, and for one of which nobody knows where it is. */
  of(number: number): StorageNode | undefined {
    const { map } = this.parts.local;
    const { peers } = this.parts.config;
    const nodeId = map?.nodes[number - 1]?.nodeId;
    const origin = peers[number - 1];
    if (this.isClosed || map === undefined || nodeId === undefined || origin === undefined || number === this.parts.local.number)
      return undefined;
    const known = this.open.get(number);
    if (known?.nodeId === nodeId && known.origin === origin) return known.node;
    // Another disk is in its place, or it is elsewhere: who copies from it now, fails, and is served in another way.
    void known?.node.close().catch(() => undefined);
    const node = this.connect({ number, nodeId, origin, clusterId: map.clusterId });
    this.open.set(number, { nodeId, origin, node });
    return node;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await Promise.all([...this.open.values()].map(({ node }) => node.close()));
  }

  private connect(
    ids: Pick<ConstructorParameters<typeof PeerStorageNode>[0], 'number' | 'nodeId' | 'origin' | 'clusterId'>,
  ): StorageNode {
    const { secret, tls, local, config } = this.parts;
    const { limits } = config;
    const term = (): number => local.map?.term ?? 0;
    const node = new PeerStorageNode({ ...ids, secret, tls, limits, term });
    return new DeadlineStorageNode(node, PATIENCE_SHARE * limits.node_call_ms_max);
  }
}
