import { isInBackground } from './background-work.js';
import { ForegroundLoad } from './foreground-load.js';
import { NodeError, type NodeProbe, type StorageNode } from './storage-node.js';

export type NodeState = 'up' | 'suspect' | 'down' | 'draining' | 'full';

/** A node and what is known of it at this moment. */
export interface NodeStatus {
  readonly number: number;
  readonly state: NodeState;
  /** When it came into this state, milliseconds since 1970. */
  readonly since: number;
  readonly lastError: string | undefined;
  readonly capacity: NodeProbe | undefined;
  /** Calls under way. */
  readonly inFlight: number;
  /** Moving mean of the time of a call, milliseconds; undefined before the first. */
  readonly latencyMs: number | undefined;
}

interface Entry {
  readonly node: StorageNode;
  status: NodeStatus;
}

/** How well a node serves reads, best first: one that is only suspected is better than one that is known to be gone. */
const READ_RANK: Record<NodeState, number> = { up: 0, full: 0, draining: 0, suspect: 1, down: 2 };
/** Weight of the newest call in the moving mean. */
const LATENCY_WEIGHT = 0.1;

/** Called when a call to a node failed in a way that casts doubt on the node itself. */
export type SuspicionListener = (node: number, error: NodeError) => void;

/**
 * All nodes of the cluster and the map of their states. `health` writes the states; whoever reads or writes shards asks here where to go.
 */
export class NodeRegistry {
  /** Of calls to all nodes that somebody waits for. */
  readonly foreground = new ForegroundLoad();
  private readonly entries = new Map<number, Entry>();
  private listener: SuspicionListener | undefined;

  constructor(nodes: readonly StorageNode[]) {
    for (const node of nodes) {
      const status: NodeStatus = {
        number: node.number,
        state: 'suspect',
        since: Date.now(),
        lastError: undefined,
        capacity: undefined,
        inFlight: 0,
        latencyMs: undefined,
      };
      this.entries.set(node.number, { node, status });
    }
  }

  get nodes(): readonly StorageNode[] {
    return [...this.entries.values()].map(({ node }) => node);
  }

  node(number: number): StorageNode {
    return this.entry(number).node;
  }

  has(number: number): boolean {
    return this.entries.has(number);
  }

  status(number: number): NodeStatus {
    return this.entry(number).status;
  }

  /** Numbers of the nodes that take new shards now. */
  writable(): readonly number[] {
    return this.numbers((status) => status.state === 'up');
  }

  /** Numbers of the nodes that can be read and deleted from now. */
  reachable(): readonly number[] {
    return this.numbers((status) => status.state === 'up' || status.state === 'full' || status.state === 'draining');
  }

  /** Sorts nodes by how well they serve a read now: healthy first, then those with the fewest calls under way. */
  byReadRank(numbers: readonly number[]): readonly number[] {
    const rank = (number: number): number => {
      const status = this.entries.get(number)?.status;
      return status === undefined ? Infinity : READ_RANK[status.state] * 1e6 + status.inFlight;
    };
    return [...numbers].sort((a, b) => rank(a) - rank(b));
  }

  /** Sets the state of a node; true if that is a change. */
  setState(number: number, state: NodeState, details: { readonly error?: NodeError; readonly capacity?: NodeProbe }): boolean {
    const entry = this.entry(number);
    const hasChanged = entry.status.state !== state;
    entry.status = {
      ...entry.status,
      state,
      since: hasChanged ? Date.now() : entry.status.since,
      capacity: details.capacity ?? entry.status.capacity,
      lastError: details.error?.message ?? entry.status.lastError,
    };
    return hasChanged;
  }

  onSuspicion(listener: SuspicionListener): void {
    this.listener = listener;
  }

  /** Runs a call to a node and learns from it: load, latency, and whether the node is in doubt. */
  async call<Result>(number: number, run: (node: StorageNode) => Promise<Result>): Promise<Result> {
    const entry = this.entry(number);
    const started = performance.now();
    entry.status = { ...entry.status, inFlight: entry.status.inFlight + 1 };
    try {
      const result = await run(entry.node);
      const spent = performance.now() - started;
      if (!isInBackground()) this.foreground.note(spent, performance.now());
      const mean = entry.status.latencyMs ?? spent;
      entry.status = { ...entry.status, latencyMs: mean + LATENCY_WEIGHT * (spent - mean) };
      return result;
    } catch (error) {
      this.suspect(number, error);
      throw error;
    } finally {
      entry.status = { ...entry.status, inFlight: entry.status.inFlight - 1 };
    }
  }

  private suspect(number: number, error: unknown): void {
    if (!(error instanceof NodeError) || error.kind === 'not-found' || error.kind === 'corrupt') return;
    this.listener?.(number, error);
  }

  private numbers(accepts: (status: NodeStatus) => boolean): readonly number[] {
    return [...this.entries.values()].filter(({ status }) => accepts(status)).map(({ status }) => status.number);
  }

  private entry(number: number): Entry {
    const entry = this.entries.get(number);
    if (entry === undefined) throw new RangeError(`there is no node ${number}`);
    return entry;
  }
}
