import { Injectable, Logger, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { within } from '../common/within.js';
import { AppConfig } from '../config/app-config.js';
import { type MeasuredState, NodeRegistry } from '../nodes/node-registry.js';
import { NodeError, type NodeProbe, type StorageNode } from '../nodes/storage-node.js';
import { NodeDetector } from './node-detector.js';
import { RunningTimeout } from './running-timeout.js';

/** Probes of one node that may wait for an answer beyond their limit, on a disk that hangs and hears no signal. */
const HANGING_MAX = 2;

interface Watched {
  /** Another one may have come in its place, of which nothing is known yet. */
  readonly node: StorageNode;
  readonly detector: NodeDetector;
  /** The examination under way. */
  running: Promise<void> | undefined;
  /** Probes that have not settled, given up ones among them. */
  hanging: number;
}

/** A probe that went wrong: with an error, or with silence. */
interface BadProbe {
  readonly error: NodeError;
  readonly isSilence: boolean;
}

/**
 * Finds out which nodes are up. Each is probed on a schedule, and at once when a call to it failed; what follows from that is said by the
 * {@link NodeDetector}. A suspected node is probed again without a pause.
 */
@Injectable()
export class ProberService implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger(ProberService.name);
  private readonly stopping = new AbortController();
  private readonly watched = new Map<number, Watched>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly config: AppConfig,
    private readonly registry: NodeRegistry,
  ) {}

  /** The states are known before the first request. */
  async onModuleInit(): Promise<void> {
    this.registry.onSuspicion((node, error) => this.suspect(node, error));
    this.registry.onLook((node) => void this.probe(node));
    await this.probeAll();
    this.timer = setInterval(() => void this.probeAll(), this.config.limits.probe_interval_ms);
  }

  /** Not before the last request has ended: until then it matters which nodes are up. */
  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort();
    await Promise.all([...this.watched.values()].flatMap(({ running }) => running ?? []));
  }

  private async probeAll(): Promise<void> {
    for (const number of this.watched.keys()) if (!this.registry.has(number)) this.watched.delete(number);
    await Promise.all(this.registry.nodes.map(({ number }) => this.probe(number)));
  }

  private suspect(number: number, error: NodeError): void {
    const state = this.registry.state(number);
    if (state === 'down' || state === 'suspect') return;
    this.change(number, this.watch(number).detector.callFailed(error), { error });
    void this.probe(number);
  }

  /** One probe of a node at a time; who asks for another meanwhile gets the one under way. */
  private probe(number: number): Promise<void> {
    const watched = this.watch(number);
    watched.running ??= this.examine(number, watched).finally(() => (watched.running = undefined));
    return watched.running;
  }

  private watch(number: number): Watched {
    const node = this.registry.node(number);
    let watched = this.watched.get(number);
    if (watched?.node !== node) {
      const detector = new NodeDetector(this.registry.now, this.config.limits.flap_window_ms);
      watched = { node, detector, running: undefined, hanging: 0 };
      this.watched.set(number, watched);
    }
    return watched;
  }

  private async examine(number: number, watched: Watched): Promise<void> {
    const { detector, node } = watched;
    const isOver = (): boolean =>
      this.stopping.signal.aborted || !this.registry.has(number) || this.registry.node(number) !== node;
    while (!isOver()) {
      const started = this.registry.now();
      const result = await this.tryProbe(watched);
      if (isOver()) return;
      if (!('error' in result)) {
        this.welcome(number, detector, result);
        return;
      }
      const wasSuspect = this.registry.measured(number) === 'suspect';
      const isAlive = result.isSilence && this.registry.answeredAt(number) > started;
      const state = detector.failed(result.error, isAlive);
      this.change(number, state, result);
      // What is suspect and yet alive is looked at again with the next round, and not without end in this one.
      if (state !== 'suspect' || wasSuspect) return;
    }
  }

  private welcome(number: number, detector: NodeDetector, capacity: NodeProbe): void {
    const state = detector.answered(capacity.full);
    if (state !== 'down') {
      this.change(number, state, { capacity });
      return;
    }
    const probes = `it went down too often lately and has to be well for ${detector.goodMissing} more probes`;
    this.change(number, state, { capacity, error: new NodeError('unavailable', probes) });
  }

  private async tryProbe(watched: Watched): Promise<NodeProbe | BadProbe> {
    if (watched.hanging >= HANGING_MAX)
      return { error: new NodeError('unavailable', 'earlier probes still wait for their answers'), isSilence: true };
    const limit = new RunningTimeout(this.config.limits.probe_ms_max);
    const both = AbortSignal.any([limit.signal, this.stopping.signal]);
    watched.hanging += 1;
    const settled = (): void => void (watched.hanging -= 1);
    try {
      const probe = watched.node.probe(both);
      probe.then(settled, settled);
      return await within(both, probe);
    } catch (error) {
      if (error instanceof NodeError) return { error, isSilence: false };
      const silence = new NodeError('unavailable', 'the probe got no answer in time', { cause: error });
      return { error: silence, isSilence: limit.signal.aborted };
    } finally {
      limit.clear();
    }
  }

  private change(
    number: number,
    state: MeasuredState,
    details: { readonly error?: NodeError; readonly capacity?: NodeProbe },
  ): void {
    if (!this.registry.setState(number, state, details)) return;
    const entry = { node: number, state: this.registry.state(number) };
    if (details.error === undefined) this.logger.log(entry, 'a node changed its state');
    else this.logger.warn({ ...entry, reason: details.error.message }, 'a node changed its state');
  }
}
