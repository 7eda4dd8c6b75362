import { SdkError } from './errors.js';
import { isRetriable } from './retries.js';

/** Requests under way at once: while one is answered the next one is sealed. */
const REQUESTS_MAX = 2;
/** Of one request. */
const NODES_MAX = 32;
const BYTES_MAX = 512 * 1024;
/** For how long the first that waits waits for others, if others came with the one before. */
const LINGER_MS = 10;

/** How nodes are made. */
export interface NodeMaking<Node, Made> {
  one(node: Node, signal: AbortSignal): Promise<Made>;
  /** @returns in the same order; of what was not made, why */
  several(nodes: readonly Node[], signal: AbortSignal): Promise<readonly (Made | SdkError)[]>;
  /** How much a node adds to a request. */
  bytesOf(node: Node): number;
}

/** A node that somebody waits for. */
interface Waiting<Node, Made> {
  readonly node: Node;
  readonly bytes: number;
  readonly made: PromiseWithResolvers<Made>;
}

interface Queue<Node, Made> {
  readonly waiting: Waiting<Node, Made>[];
  underWay: number;
  /** How many the last request had: when they are made, so many come again, one after the other. */
  expected: number;
  lingering: ReturnType<typeof setTimeout> | undefined;
}

/**
 * Makes many small nodes in few requests: what comes while requests are under way waits and goes with the next one, and what comes alone goes
 * alone and at once. Who makes many makes the next ones when he hears of the last ones, so the first of them waits a moment for the others. Only what
 * is broken off by one signal goes together, so that nobody's request depends on anybody else.
 */
export class NodeBatches<Node, Made extends object> {
  private readonly queues = new WeakMap<AbortSignal, Queue<Node, Made>>();
  /** Whether the server knows only single ones. */
  private isSingle = false;

  constructor(private readonly making: NodeMaking<Node, Made>) {}

  /** What {@link NodeMaking.one} promises. */
  make(node: Node, signal: AbortSignal): Promise<Made> {
    const queue = this.queues.get(signal) ?? { waiting: [], underWay: 0, expected: 1, lingering: undefined };
    this.queues.set(signal, queue);
    const made = Promise.withResolvers<Made>();
    queue.waiting.push({ node, bytes: this.making.bytesOf(node), made });
    this.send(queue, signal);
    return made.promise;
  }

  private send(queue: Queue<Node, Made>, signal: AbortSignal): void {
    while (queue.waiting.length > 0 && queue.underWay < REQUESTS_MAX) {
      const count = fitting(queue.waiting);
      if (count === queue.waiting.length && count < queue.expected && !signal.aborted) {
        queue.lingering ??= setTimeout(() => {
          queue.expected = 1;
          queue.lingering = undefined;
          this.send(queue, signal);
        }, LINGER_MS);
        return;
      }
      this.sendFirst(count, queue, signal);
    }
  }

  private sendFirst(count: number, queue: Queue<Node, Made>, signal: AbortSignal): void {
    clearTimeout(queue.lingering);
    queue.lingering = undefined;
    queue.underWay += 1;
    queue.expected = count;
    void this.request(queue.waiting.splice(0, count), signal).finally(() => {
      queue.underWay -= 1;
      this.send(queue, signal);
    });
  }

  /** Never rejects: who waits for a node hears of it. */
  private async request(batch: readonly Waiting<Node, Made>[], signal: AbortSignal): Promise<void> {
    try {
      const results = batch.length === 1 || this.isSingle ? undefined : await this.several(batch, signal);
      batch.forEach(({ node, made }, at) => {
        const result = results?.[at];
        if (result === undefined || isBusy(result)) made.resolve(this.making.one(node, signal));
        else if (result instanceof SdkError) made.reject(result);
        else made.resolve(result);
      });
    } catch (error) {
      for (const { made } of batch) made.reject(error); // what fails as a whole fails for each
    }
    await Promise.allSettled(batch.map(({ made }) => made.promise));
  }

  /** Undefined if the server does not know how. */
  private async several(
    batch: readonly Waiting<Node, Made>[],
    signal: AbortSignal,
  ): Promise<readonly (Made | SdkError)[] | undefined> {
    try {
      const nodes = batch.map(({ node }) => node);
      return await this.making.several(nodes, signal);
    } catch (error) {
      // Without a code it is not a folder that is missing, but the call.
      if (!(error instanceof SdkError && error.kind === 'not-found' && error.code === undefined)) throw error;
      this.isSingle = true;
      return undefined;
    }
  }
}

/** Not begun, so that it may be sent again. */
function isBusy(result: unknown): boolean {
  return isRetriable(result, { attempts: 1, isRepeatable: false });
}

/** How many of those that wait go together; at least one. */
function fitting(waiting: readonly { readonly bytes: number }[]): number {
  let bytes = 0;
  const end = waiting.findIndex((each, at) => {
    bytes += each.bytes;
    return at > 0 && (at === NODES_MAX || bytes > BYTES_MAX);
  });
  return end < 0 ? waiting.length : end;
}
