import { Logger } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { errorCode } from '../common/errors.js';
import { ClusterFile } from '../config/cluster-file.js';
import { compareMaps, type ClusterMap } from '../config/cluster-map.js';
import { LiveConfig } from '../config/live-config.js';
import { LiveTls } from '../config/live-tls.js';
import { rereadConfig } from '../config/load-config.js';
import { planReload } from '../config/reload-plan.js';
import { LocalNode } from '../nodes/peer/local-node.js';
import { PeerClient } from '../nodes/peer/peer-client.js';
import type { PeerHello } from '../nodes/peer/peer-hello.js';
import type { PeerSecret } from '../nodes/peer/peer-secret.js';
import { isTlsTrouble } from '../http/tls-trouble.js';
import { NodeError } from '../nodes/storage-node.js';
import { localNodeOptions } from './local-node-options.js';
import { PeerSources } from './peer-sources.js';

/** What one process of a cluster has for as long as it runs, whatever its role: its node, the way to the others, the newest map it heard of. */
export class ClusterMember {
  private readonly logger = new Logger(ClusterMember.name);
  private readonly listeners = new Set<(map: ClusterMap) => void>();
  /** Other clusters that were spoken of. */
  private readonly strangers = new Set<string>();
  /** Peers of which it was said that their certificates are not taken. */
  private readonly mistrusted = new Set<number>();
  private newest: ClusterMap | undefined;
  private readonly known = new Map<number, PeerClient>();

  readonly live: LiveConfig;
  readonly secret: PeerSecret;
  readonly local: LocalNode;
  readonly tls: LiveTls;
  readonly sources = new PeerSources(this);

  private constructor({ live, secret, local, tls }: Pick<ClusterMember, 'live' | 'secret' | 'local' | 'tls'>) {
    this.live = live;
    this.secret = secret;
    this.local = local;
    this.tls = tls;
    this.newest = ClusterFile.peek(this.config.storage_directory);
    if (local.map !== undefined) this.learn(local.map);
    local.onMap((map) => this.learn(map));
  }

  static async open(config: AppConfig, secret: PeerSecret, signal: AbortSignal): Promise<ClusterMember> {
    const tls = LiveTls.read(config);
    const local = await LocalNode.open(localNodeOptions(config), signal);
    return new ClusterMember({ live: new LiveConfig(config), secret, local, tls });
  }

  get config(): AppConfig {
    return this.live.current;
  }

  /** The way to each of the other nodes. */
  get clients(): ReadonlyMap<number, PeerClient> {
    const { peers, limits } = this.config;
    for (const [at, origin] of peers.entries())
      if (at + 1 !== this.number && !this.known.has(at + 1))
        this.known.set(at + 1, new PeerClient({ origin, secret: this.secret, limits, tls: this.tls }));
    return this.known;
  }

  /**
   * Reads the configuration anew, in a process that does not hold the index: it only has to know where the others are, and to agree with them.
   * @throws DomainError `invalid-config`, `reload-refused`
   */
  reload(): void {
    try {
      const after = rereadConfig(this.config);
      planReload(this.config, after, this.map?.nodes ?? []);
      const takeCertificates = this.tls.prepare();
      this.live.replace(after);
      takeCertificates();
      this.logger.log({ nodes: after.node_count, redundancy: after.redundancy_count }, 'the configuration was read anew');
    } catch (error) {
      this.logger.error({ err: error }, 'the configuration was not taken over');
      throw error;
    }
  }

  /** The number of this process' node. */
  get number(): number {
    return this.config.node as number;
  }

  /** The newest map that this process heard of. */
  get map(): ClusterMap | undefined {
    return this.newest;
  }

  /** Takes note of a map. One of another cluster is never followed; which one is ours, the node says, if it has been made. */
  learn(map: ClusterMap): void {
    const known = this.newest;
    const ours = this.local.ids?.clusterId ?? known?.clusterId ?? map.clusterId;
    if (ours !== map.clusterId) {
      if (!this.strangers.has(map.clusterId))
        this.logger.error({ ours, theirs: map.clusterId }, 'a map of another cluster is not followed');
      this.strangers.add(map.clusterId);
      return;
    }
    if (known?.clusterId === ours && compareMaps(map, known) <= 0) return;
    this.newest = map;
    for (const listener of this.listeners) listener(map);
  }

  /** @returns what ends it */
  onMap(listener: (map: ClusterMap) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Asks a peer who it is, and learns its map. @throws NodeError if it does not answer, or cannot prove itself */
  async hear(number: number, signal: AbortSignal): Promise<PeerHello> {
    const client = this.clients.get(number);
    if (client === undefined) throw new RangeError(`node ${number} is not another peer`);
    const limit = AbortSignal.any([signal, AbortSignal.timeout(this.config.limits.probe_ms_max)]);
    const hello = await client.hello(limit);
    if (hello.map !== undefined) this.learn(hello.map);
    return hello;
  }

  /** Asks all peers who they are; those that do not answer are not among the answers. */
  async hearAll(signal: AbortSignal): Promise<ReadonlyMap<number, PeerHello>> {
    const answers = new Map<number, PeerHello>();
    const asking = [...this.clients.keys()].map(async (number) => {
      try {
        answers.set(number, await this.hear(number, signal));
      } catch (error) {
        this.unheard(number, error);
      }
    });
    await Promise.all(asking);
    signal.throwIfAborted();
    return answers;
  }

  /** A peer that does not answer may just be starting; one with a wrong certificate has to be looked at. */
  private unheard(number: number, error: unknown): void {
    const isStrange = error instanceof NodeError && isTlsTrouble(errorCode(error.cause) ?? '');
    if (isStrange && !this.mistrusted.has(number)) this.logger.warn({ node: number, err: error }, 'a peer cannot be trusted');
    else this.logger.debug({ node: number, err: error }, 'a peer did not answer');
    if (isStrange) this.mistrusted.add(number);
    else this.mistrusted.delete(number);
  }

  /** Lets go of the node and the connections; safe to call twice. */
  async close(): Promise<void> {
    this.listeners.clear();
    this.tls.close();
    await Promise.all([...this.clients.values()].map((client) => client.close()));
    await this.sources.close();
    await this.local.close();
  }
}
