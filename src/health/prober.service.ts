import { Injectable, Logger, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { within } from '../common/within.js';
import { AppConfig } from '../config/app-config.js';
import { NodeRegistry, type NodeState } from '../nodes/node-registry.js';
import { NodeError } from '../nodes/storage-node.js';

/**
 * Finds out which nodes are up. Each is probed on a schedule, and at once when a call to it failed. The first failed probe makes a node
 * suspect: nothing new is written to it; the second, which follows at once, makes it down; a good one brings it back.
 * What a node refuses (another identity, a read-only disk) does not pass by itself, so that makes it down at the first time.
 */
@Injectable()
export class ProberService implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger(ProberService.name);
  private readonly stopping = new AbortController();
  private readonly probing = new Map<number, Promise<void>>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly config: AppConfig,
    private readonly registry: NodeRegistry,
  ) {}

  /** The states are known before the first request. */
  async onModuleInit(): Promise<void> {
    this.registry.onSuspicion((node, error) => this.suspect(node, error));
    await this.probeAll();
    this.timer = setInterval(() => void this.probeAll(), this.config.limits.probe_interval_ms);
  }

  /** Not before the last request has ended: until then it matters which nodes are up. */
  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort();
    await Promise.all(this.probing.values());
  }

  private async probeAll(): Promise<void> {
    await Promise.all(this.registry.nodes.map(({ number }) => this.probe(number)));
  }

  private suspect(number: number, error: NodeError): void {
    if (this.registry.status(number).state !== 'up') return;
    this.change(number, error.kind === 'full' ? 'full' : 'suspect', error);
    void this.probe(number);
  }

  /** One probe of a node at a time; who asks for another meanwhile gets the one under way. */
  private probe(number: number): Promise<void> {
    const running = this.probing.get(number);
    if (running !== undefined) return running;
    const probe = this.examine(number).finally(() => this.probing.delete(number));
    this.probing.set(number, probe);
    return probe;
  }

  private async examine(number: number): Promise<void> {
    for (;;) {
      if (this.stopping.signal.aborted) return;
      const error = await this.tryProbe(number);
      if (error === undefined) return;
      const wasDoubtful = this.registry.status(number).state !== 'up';
      this.change(number, wasDoubtful || error.kind === 'rejected' ? 'down' : 'suspect', error);
      if (this.registry.status(number).state === 'down') return;
    }
  }

  private async tryProbe(number: number): Promise<NodeError | undefined> {
    const limit = AbortSignal.timeout(this.config.limits.probe_ms_max);
    try {
      const capacity = await within(limit, this.registry.node(number).probe(AbortSignal.any([limit, this.stopping.signal])));
      if (this.registry.setState(number, capacity.full ? 'full' : 'up', { capacity })) {
        this.logger.log({ node: number, state: this.registry.status(number).state }, 'a node changed its state');
      }
      return undefined;
    } catch (error) {
      if (this.stopping.signal.aborted) return undefined;
      return error instanceof NodeError
        ? error
        : new NodeError('unavailable', 'the probe got no answer in time', { cause: error });
    }
  }

  private change(number: number, state: NodeState, error: NodeError): void {
    if (this.registry.setState(number, state, { error }))
      this.logger.warn({ node: number, state, reason: error.message }, 'a node changed its state');
  }
}
