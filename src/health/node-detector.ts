import type { MeasuredState } from '../nodes/node-registry.js';
import type { NodeError } from '../nodes/storage-node.js';

/** A node that went down so often within the window flaps. */
const FLAPS = 3;
/** Good probes in a row that are asked of a node that flaps, at the most. */
const GOOD_MOST = 16;

/**
 * Judges one node by its probes and by calls that failed. The first bad sign makes it suspect, the second one down; a good probe brings it
 * back. One that goes down again and again has to be good for longer and longer: each return costs everybody a failover when it is a lie.
 * Pure, so that minutes of it can be tested at once.
 */
export class NodeDetector {
  private state: MeasuredState = 'suspect';
  /** Whether it was up since it was last down: only that makes a fall of it. */
  private hasBeenUp = false;
  private falls: number[] = [];
  private goodNeeded = 1;
  private good = 0;

  /** @param now a clock that never goes back, milliseconds */
  constructor(
    private readonly now: () => number,
    private readonly flapWindowMs: number,
  ) {}

  /** Good probes in a row that are still missing before a node that flaps counts as up. */
  get goodMissing(): number {
    return this.state === 'down' ? this.goodNeeded - this.good : 0;
  }

  /** It answered a probe. */
  answered(isFull: boolean): MeasuredState {
    this.good += 1;
    if (this.goodMissing > 0) return this.state;
    this.hasBeenUp = true;
    return (this.state = isFull ? 'full' : 'up');
  }

  /** A call to it failed. A full node is no sick one. */
  callFailed(error: NodeError): MeasuredState {
    const isWell = this.state === 'up' || this.state === 'full';
    if (isWell) this.state = error.kind === 'full' ? 'full' : 'suspect';
    return this.state;
  }

  /**
   * A probe failed. What a node refuses (another identity, a read-only disk) does not pass by itself, so that makes it down at once.
   * @param isAlive it answered something else meanwhile: slow, or in part broken, but not frozen
   */
  failed(error: NodeError, isAlive: boolean): MeasuredState {
    this.good = 0;
    if (this.state === 'down') return 'down';
    const isFirst = this.state !== 'suspect';
    if (error.kind !== 'rejected' && (isFirst || isAlive)) return (this.state = 'suspect');
    return this.fall();
  }

  private fall(): MeasuredState {
    const now = this.now();
    this.falls = this.falls.filter((at) => now - at < this.flapWindowMs);
    if (this.hasBeenUp) this.falls.push(now);
    this.hasBeenUp = false;
    this.goodNeeded = Math.min(GOOD_MOST, 2 ** Math.max(0, this.falls.length - FLAPS + 1));
    return (this.state = 'down');
  }
}
