import { isInBackground } from './background-work.js';
import { ForegroundLoad } from './foreground-load.js';
import { type CallClass, NodeLatencies } from './node-latencies.js';
import { RunningCalls } from './running-calls.js';
import { NodeError, type NodeProbe, type StorageNode } from './storage-node.js';

export type NodeState = 'up' | 'suspect' | 'down' | 'draining' | 'full';

/** What can be found out about a node by asking it; whether it drains is decided by people. */
export type MeasuredState = Exclude<NodeState, 'draining'>;

/** A node and what is known of it at this moment. */
export interface NodeStatus {
  readonly number: number;
  /** What was measured, but `draining` for a node that is to be emptied and can be reached. */
  readonly state: NodeState;
  /** When it came into this state, milliseconds since 1970. */
  readonly since: number;
  /** Its disk is a new one, and not all that the old one had is restored. */
  readonly isRestoring: boolean;
  readonly lastError: string | undefined;
  readonly capacity: NodeProbe | undefined;
  /** Calls under way. */
  readonly inFlight: number;
  /** Moving mean of the time of a call, milliseconds; undefined before the first. */
  readonly latencyMs: number | undefined;
  /** Time within which 95 of 100 of the last reads ended, milliseconds; undefined before the first. */
  readonly latencyP95Ms: number | undefined;
  /** How often it came into each state since this process knows it. */
  readonly transitions: ReadonlyMap<NodeState, number>;
}

interface Entry {
  readonly node: StorageNode;
  readonly calls: RunningCalls;
  readonly latencies: NodeLatencies;
  measured: MeasuredState;
  isDraining: boolean;
  since: number;
  lastError: string | undefined;
  capacity: NodeProbe | undefined;
  readonly transitions: Map<NodeState, number>;
  /** When it last answered anything, and when it was last too late with a write; by the registry's clock. */
  answeredAt: number;
  lateAt: number;
}

export interface CallOptions {
  /** Passed on to the call, together with the news that the node went down. */
  readonly signal?: AbortSignal;
  /** What kind of call it is, to learn how long such calls take. */
  readonly latency?: CallClass;
}

/** How well a node serves reads, best first: one that is only suspected is better than one that is known to be gone. */
const READ_RANK: Record<NodeState, number> = { up: 0, full: 0, draining: 0, suspect: 1, down: 2 };
/** More than any expected time of a call, in milliseconds. */
const RANK_STEP = 1e12;
/** How long a node that was too late with a write is not written to, if others can be, unless it proves before that it is well. */
const LATE_MS = 5000;

/** Called when a call to a node failed in a way that casts doubt on the node itself. */
export type SuspicionListener = (node: number, error: NodeError) => void;

/** Called when a node should be looked at now: it is new, or it was late. */
export type LookListener = (node: number) => void;

/**
 * All nodes of the cluster and the map of their states. `health` writes the states; whoever reads or writes shards asks here where to go.
 */
export class NodeRegistry {
  /** Of calls to all nodes that somebody waits for. */
  readonly foreground = new ForegroundLoad();
  /** Nodes of which the disk is a new one, and when it came, milliseconds since 1970: what was stored there before is lost until it is restored. */
  readonly losses = new Map<number, number>();
  private readonly entries = new Map<number, Entry>();
  /** When a node of each number was retired last, counted in retirements. */
  private readonly retired = new Map<number, number>();
  /** Numbers of nodes of the cluster that are not here. */
  private readonly detached = new Set<number>();
  /** Nodes that were retired so far. */
  retirements = 0;
  private suspicion: SuspicionListener | undefined;
  private look: LookListener | undefined;

  /** @param now a clock that never goes back, milliseconds */
  constructor(
    nodes: readonly StorageNode[],
    readonly now: () => number = () => performance.now(),
  ) {
    for (const node of nodes) this.add(node);
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

  /** Whether the node of this number is the one that it was after so many retirements, and not gone, or on another disk. */
  isSame(number: number, retirements: number): boolean {
    return this.has(number) && (this.retired.get(number) ?? 0) <= retirements;
  }

  /** Takes in a node while others are in use; it is only suspected to be there until it was probed. */
  add(node: StorageNode): void {
    if (this.entries.has(node.number)) throw new RangeError(`there is a node ${node.number} already`);
    this.detached.delete(node.number);
    this.entries.set(node.number, {
      node,
      calls: new RunningCalls(),
      latencies: new NodeLatencies(this.now),
      measured: 'suspect',
      isDraining: false,
      since: Date.now(),
      lastError: undefined,
      capacity: undefined,
      transitions: new Map(),
      answeredAt: -Infinity,
      lateAt: -Infinity,
    });
    this.look?.(node.number);
  }

  /** False while a node of the cluster is not here, because it is being opened anew or could not be: nobody knows what it has. */
  get isComplete(): boolean {
    return this.detached.size === 0;
  }

  /** Lets go of a node that is no part of the cluster any more, and closes it: calls under way fail over. One that hangs is left behind. */
  async retire(number: number): Promise<void> {
    const entry = this.entries.get(number);
    if (this.entries.delete(number)) this.retired.set(number, (this.retirements += 1));
    this.detached.delete(number);
    entry?.calls.stopAll(new NodeError('unavailable', 'the node left the cluster'));
    await entry?.node.close().catch(() => undefined);
  }

  /** The same for one that stays a part of it, until it is added anew. */
  async detach(number: number): Promise<void> {
    const retiring = this.retire(number);
    this.detached.add(number);
    await retiring;
  }

  status(number: number): NodeStatus {
    const { measured, isDraining, calls, latencies, ...entry } = this.entry(number);
    return {
      number,
      state: visible(measured, isDraining),
      since: entry.since,
      isRestoring: this.losses.has(number),
      lastError: entry.lastError,
      capacity: entry.capacity,
      inFlight: calls.size,
      latencyMs: latencies.mean,
      latencyP95Ms: latencies.readP95,
      transitions: entry.transitions,
    };
  }

  state(number: number): NodeState {
    const { measured, isDraining } = this.entry(number);
    return visible(measured, isDraining);
  }

  /** What was found out about a node, whether it drains or not. */
  measured(number: number): MeasuredState {
    return this.entry(number).measured;
  }

  /** Numbers of the nodes that take new shards now. */
  writable(): readonly number[] {
    return this.numbers((state) => state === 'up');
  }

  /** Numbers of the nodes that can be read and deleted from now. */
  reachable(): readonly number[] {
    return this.numbers((state) => state === 'up' || state === 'full' || state === 'draining');
  }

  /** Whether what was stored on a node at a time can be read from it now, as far as is known. */
  isReadable(number: number, storedAt: number): boolean {
    const entry = this.entries.get(number);
    if (entry === undefined || storedAt < (this.losses.get(number) ?? 0)) return false;
    return READ_RANK[visible(entry.measured, entry.isDraining)] === 0;
  }

  /** Sorts nodes by how well they serve a read now: healthy first, then the one that is likely to have answered first. */
  byReadRank(numbers: readonly number[], kind: CallClass = 'readLarge'): readonly number[] {
    return this.readRanking(kind)(numbers);
  }

  /** The same for many questions of one moment, in which the rank of each node is found once. */
  readRanking(kind: CallClass): (numbers: readonly number[]) => readonly number[] {
    const ranks = new Map<number, number>();
    const rankOf = (number: number): number => {
      let rank = ranks.get(number);
      if (rank === undefined) ranks.set(number, (rank = this.rank(number, kind)));
      return rank;
    };
    return (numbers) => {
      if (numbers.length < 2) return numbers;
      const [first = 0, second = 0] = numbers;
      if (numbers.length > 2) return [...numbers].sort((a, b) => rankOf(a) - rankOf(b) || 0);
      return rankOf(first) <= rankOf(second) ? numbers : [second, first]; // the two copies that most stripes have
    };
  }

  /** Sets the state of a node; true if what is seen of it has changed. Whoever waits for a node that goes down waits no longer. */
  setState(
    number: number,
    state: MeasuredState,
    details: { readonly error?: NodeError; readonly capacity?: NodeProbe },
  ): boolean {
    const entry = this.entry(number);
    const before = visible(entry.measured, entry.isDraining);
    const wentDown = state === 'down' && entry.measured !== 'down';
    entry.measured = state;
    entry.capacity = details.capacity ?? entry.capacity;
    entry.lastError = details.error?.message ?? entry.lastError;
    if (wentDown) entry.calls.stopAll(new NodeError('unavailable', 'the node went down'));
    return this.noteChange(entry, before);
  }

  /** A node that drains is read and deleted from, but takes nothing new; true if what is seen of it has changed. */
  setDraining(number: number, isDraining: boolean): boolean {
    const entry = this.entry(number);
    const before = visible(entry.measured, entry.isDraining);
    entry.isDraining = isDraining;
    return this.noteChange(entry, before);
  }

  onSuspicion(listener: SuspicionListener): void {
    this.suspicion = listener;
  }

  onLook(listener: LookListener): void {
    this.look = listener;
  }

  /**
   * Runs a call to a node and learns from it: load, latency, and whether the node is in doubt. Rejects at once when the node goes down;
   * the signal that the call gets is aborted then, and when that of the options is.
   */
  async call<Result>(
    number: number,
    run: (node: StorageNode, signal: AbortSignal) => Promise<Result>,
    { signal, latency = 'other' }: CallOptions = {},
  ): Promise<Result> {
    const entry = this.entries.get(number);
    if (entry === undefined) throw new NodeError('unavailable', `there is no node ${number}`);
    const started = this.now();
    try {
      const result = await entry.calls.run((limit) => run(entry.node, limit), signal);
      entry.answeredAt = this.now();
      if (entry.lateAt < started && isWrite(latency)) entry.lateAt = -Infinity;
      entry.latencies.completed(latency, entry.answeredAt - started);
      if (!isInBackground()) this.foreground.note(entry.answeredAt - started, entry.answeredAt);
      return result;
    } catch (error) {
      if (signal?.aborted !== true && this.entries.has(number)) this.suspect(number, error);
      throw error;
    }
  }

  /** Notes that a call was given up after so long, because it was late: the node's rank falls, and one that does not write is looked at. */
  late(number: number, latency: CallClass, ms: number): void {
    const entry = this.entries.get(number);
    if (entry === undefined) return;
    entry.latencies.late(latency, ms);
    if (!isWrite(latency)) return;
    entry.lateAt = this.now();
    this.look?.(number);
  }

  /** True for a while after a node was too late with a write: others are written to, if there are others. */
  isLate(number: number): boolean {
    return this.now() - this.entry(number).lateAt < LATE_MS;
  }

  /** When a node last answered a call, by the registry's clock; -Infinity: never. */
  answeredAt(number: number): number {
    return this.entry(number).answeredAt;
  }

  latencies(number: number): NodeLatencies {
    return this.entry(number).latencies;
  }

  private rank(number: number, kind: CallClass): number {
    const entry = this.entries.get(number);
    if (entry === undefined) return Infinity;
    const state = READ_RANK[visible(entry.measured, entry.isDraining)];
    return state * RANK_STEP + entry.latencies.expected(kind) * (1 + entry.calls.size);
  }

  private noteChange(entry: Entry, before: NodeState): boolean {
    const state = visible(entry.measured, entry.isDraining);
    if (state === before) return false;
    entry.since = Date.now();
    entry.transitions.set(state, (entry.transitions.get(state) ?? 0) + 1);
    return true;
  }

  private suspect(number: number, error: unknown): void {
    if (!(error instanceof NodeError) || error.kind === 'not-found' || error.kind === 'corrupt') return;
    this.suspicion?.(number, error);
  }

  private numbers(accepts: (state: NodeState) => boolean): readonly number[] {
    return [...this.entries]
      .filter(([, { measured, isDraining }]) => accepts(visible(measured, isDraining)))
      .map(([number]) => number);
  }

  private entry(number: number): Entry {
    const entry = this.entries.get(number);
    if (entry === undefined) throw new NodeError('unavailable', `there is no node ${number}`);
    return entry;
  }
}

function isWrite(latency: CallClass): boolean {
  return latency === 'writeSmall' || latency === 'writeLarge';
}

function visible(measured: MeasuredState, isDraining: boolean): NodeState {
  return isDraining && (measured === 'up' || measured === 'full') ? 'draining' : measured;
}
