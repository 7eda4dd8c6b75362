import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Logger } from '@nestjs/common';
import { seeForwarding } from './cluster/client-edge.js';
import { AutoTakeover } from './cluster/auto-takeover.js';
import { ClusterMember } from './cluster/cluster-member.js';
import type { ClusterRole, HeardGateway } from './cluster/cluster-role.js';
import { openSecret } from './cluster/cluster-secret.js';
import { openOwnMap } from './cluster/own-map.js';
import { ForwardProof } from './cluster/forward-proof.js';
import { DomainError } from './common/errors.js';
import type { ProcessLock } from './common/process-lock.js';
import type { AppConfig } from './config/app-config.js';
import { ClusterFile } from './config/cluster-file.js';
import { lockStorage } from './config/storage-lock.js';
import { addressError, type RunningApp } from './create-app.js';
import { createGuardedServer, endConnections, urlOf } from './http/guarded-server.js';
import { spoken } from './cluster/spoken.js';
import { PeerSecret } from './nodes/peer/peer-secret.js';
import { newRun } from './nodes/peer/peer-hello.js';
import { PeerServer } from './nodes/peer/peer-server.js';
import { openGateway } from './open-gateway.js';
import { openPeer } from './open-peer.js';
import { runTakeover, type TakeoverOrder } from './run-takeover.js';

/** A process of a cluster that runs. */
export interface RunningProcess extends RunningApp {
  readonly role: () => ClusterRole['name'];
}

/**
 * Runs one process of a cluster: its node for the others, and for clients whatever the newest map makes of it, the gateway or a peer. The
 * server and the node stay the same while the role changes.
 * @throws DomainError with one of the codes of a start that fails
 */
export async function startCluster(config: AppConfig): Promise<RunningProcess> {
  const lock = lockStorage(config);
  const secret = openSecret(config);
  const signal = AbortSignal.timeout(config.limits.node_call_ms_max);
  const member = await ClusterMember.open(config, PeerSecret.of(secret), signal);
  const run = newRun();
  const proof = new ForwardProof(secret, run, config.limits.peer_clock_ms_max);
  const running = new ClusterProcess(member, { proof, run }, lock);
  try {
    await running.start();
    return running;
  } catch (error) {
    await running.close();
    throw addressError(error, config) ?? error;
  }
}

class ClusterProcess implements RunningProcess {
  private readonly logger = new Logger('Cluster');
  private readonly proof: ForwardProof;
  private readonly server: Server;
  private readonly peers: PeerServer;
  private readonly stopping = new AbortController();
  private current: ClusterRole | undefined;
  /** Changes of the role, one after the other. */
  private changing: Promise<void> = Promise.resolve();
  private takingOver = false;
  /** From when the nodes obey it, or it is entitled, until it serves, or will not. */
  private becoming = false;
  private readonly auto: AutoTakeover;
  private readonly waits = Promise.withResolvers<undefined>();

  constructor(
    private readonly member: ClusterMember,
    { proof, run }: { readonly proof: ForwardProof; readonly run: string },
    private readonly lock: ProcessLock,
  ) {
    this.proof = proof;
    const { config, secret, local } = member;
    this.auto = new AutoTakeover({
      member,
      silentMs: () => (this.becoming ? 0 : (this.current?.silentMs() ?? 0)),
      takeOver: (signal) => this.takeOver({ isForced: false, mayRebuild: false, say: (line) => this.logger.log(line) }, signal),
    });
    this.server = createGuardedServer(config.limits, (request, response) => this.answer(request, response), member.tls);
    this.peers = new PeerServer({
      secret,
      local,
      limits: config.limits,
      run,
      sourceOf: (number) => member.sources.of(number),
      desk: () => this.current?.desk,
      about: () => ({
        nodeCount: member.config.node_count,
        redundancyCount: member.config.redundancy_count,
        ...this.heard(),
      }),
      onTakeOver: (stop, isForced) => spoken((say) => this.takeOver({ isForced, mayRebuild: true, say }, stop)),
    });
  }

  get url(): string {
    return urlOf(this.server, this.member.tls);
  }

  readonly role = (): ClusterRole['name'] => this.current?.name ?? 'peer';

  /** The node is there for the others before anything is decided: they may all be starting, and waiting for each other. */
  async start(): Promise<void> {
    const { config } = this.member;
    this.current = await openPeer(this.member, this.proof);
    this.member.tls.watch();
    this.server.listen(config.port, config.listen);
    await once(this.server, 'listening');
    await this.member.hearAll(this.stopping.signal);
    if (this.member.map === undefined && this.member.number === 1) await this.beginCluster();
    this.member.onMap(() => this.reconsider());
    // A gateway that has to wait for others is served as far as it is there.
    await Promise.race([this.settle(), this.waits.promise]);
    this.auto.start();
  }

  async reload(): Promise<void> {
    await this.changing.catch(() => undefined);
    await this.current?.reload();
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await this.auto.stop();
    await this.closeServer();
    await this.changing.catch(() => undefined);
    try {
      await this.current?.close();
    } finally {
      this.current = undefined;
      await this.member.close();
      this.lock.release();
    }
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    if (this.peers.handle(request, response)) return;
    if (seeForwarding(this.proof, request, response)) this.current?.answer(request, response);
  }

  /** A cluster begins at node 1, when nobody knows of one: asked twice, for a disk that was lost must not look like a first start. */
  private async beginCluster(): Promise<void> {
    await this.member.hearAll(this.stopping.signal);
    if (this.member.map !== undefined) return;
    const { storage_directory: directory, node_count: count } = this.member.config;
    this.member.learn(ClusterFile.open(directory, count).map);
  }

  private reconsider(): void {
    this.settle().catch((error: unknown) => {
      if (!this.stopping.signal.aborted) this.logger.error({ err: error }, 'the role could not be changed');
    });
  }

  /** Takes the role that the newest map gives this process. */
  private settle(): Promise<void> {
    this.changing = this.changing
      .catch(() => undefined)
      .then(async () => {
        if (this.stopping.signal.aborted || this.takingOver) return;
        const isEntitled = this.isEntitled();
        if (this.role() === (isEntitled ? 'gateway' : 'peer')) return;
        if (!isEntitled) await this.becomePeer();
        else await this.becomeGateway();
      });
    return this.changing;
  }

  /** Whoever started this process does not hear of it any more if it fails after that. */
  private onWait(): void {
    this.waits.resolve(undefined);
    this.changing.catch((error: unknown) => this.logger.error({ err: error }, 'the role could not be changed'));
  }

  private async becomeGateway(): Promise<void> {
    this.becoming = true;
    try {
      const file = await openOwnMap(this.member, () => this.onWait(), this.stopping.signal);
      if (file === undefined || this.stopping.signal.aborted) return; // it is not the one by now
      const before = this.current;
      this.logger.log({ node: this.member.number, term: file.map.term }, 'becomes the gateway');
      this.current = await openGateway(this.member, file);
      await before?.close();
    } finally {
      this.becoming = false;
    }
  }

  /** One that only has to open what it has is as good as there: nobody need take that from it. */
  private heard(): HeardGateway {
    return this.becoming ? { hears: this.member.number } : (this.current?.heard() ?? { hears: null });
  }

  /** First the requests go elsewhere, then what they went to is closed; a gateway that is fenced may well fail to end in good order. */
  private async becomePeer(): Promise<void> {
    const before = this.current;
    const { number, map } = this.member;
    this.logger.log({ node: number, term: map?.term, gateway: map?.gateway }, 'becomes a peer');
    this.current = await openPeer(this.member, this.proof);
    try {
      await before?.close();
    } catch (error) {
      this.logger.error({ err: error }, 'the gateway of an older term did not end in good order');
    }
  }

  /** Whether this process is the gateway, and the index in its storage is of the term that the nodes obey. */
  private isEntitled(): boolean {
    const { map, number, config } = this.member;
    if (map?.gateway !== number) return false;
    const there = ClusterFile.peek(config.storage_directory);
    if (there?.clusterId === map.clusterId && there.term === map.term) return true;
    this.logger.error(
      { term: map.term, ours: there?.term },
      'the nodes take this process for the gateway, and it has no index of that term: run dcloud takeover',
    );
    return false;
  }

  private async takeOver(
    { say, ...order }: Pick<TakeoverOrder, 'isForced' | 'mayRebuild' | 'say'>,
    signal: AbortSignal,
  ): Promise<void> {
    // One that is just becoming the gateway is no peer any more: the term that it would begin would fence itself.
    for (let before: unknown; before !== this.changing;) await (before = this.changing).catch(() => undefined);
    if (this.role() === 'gateway') {
      say(`node ${this.member.number} is the gateway already`);
      return;
    }
    if (this.takingOver) throw new DomainError('takeover-refused', 'a takeover by this node is under way');
    this.takingOver = true;
    const { keys = [] } = this.current?.heard() ?? {};
    const onFenced = (): void => void (this.becoming = true);
    try {
      const stop = AbortSignal.any([signal, this.stopping.signal]);
      await runTakeover(this.member, { ...order, keys, onFenced, say, signal: stop });
      this.takingOver = false;
      await this.settle();
    } finally {
      this.takingOver = false;
      this.becoming = false;
    }
    say(`node ${this.member.number} is the gateway now`);
  }

  private async closeServer(): Promise<void> {
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    endConnections(this.server);
    this.server.close();
    this.server.closeIdleConnections();
    const deadline = setTimeout(() => this.server.closeAllConnections(), this.member.config.limits.shutdown_ms_max);
    await closed;
    clearTimeout(deadline);
  }
}
