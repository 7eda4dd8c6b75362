import type { NewNode, SealedNode } from './drive-calls.js';
import { SdkError } from './errors.js';
import { isRetriable } from './retries.js';

/** Requests under way at once: while one is answered the next one is sealed. */
const REQUESTS_MAX = 2;
/** Of one request. */
const NODES_MAX = 32;
const BYTES_MAX = 512 * 1024;

/** How nodes are made. */
export interface NodeMaking {
  one(node: NewNode, signal: AbortSignal): Promise<SealedNode>;
  /** @returns in the same order; of what was not made, why */
  several(nodes: readonly NewNode[], signal: AbortSignal): Promise<readonly (SealedNode | SdkError)[]>;
}

/** A node that somebody waits for. */
interface Waiting {
  readonly node: NewNode;
  readonly bytes: number;
  readonly made: PromiseWithResolvers<SealedNode>;
}

interface Queue {
  readonly waiting: Waiting[];
  underWay: number;
}

/**
 * Makes many small nodes in few requests: what comes while requests are under way waits and goes with the next one, and what comes alone goes
 * alone and at once. Only what is broken off by one signal goes together, so that nobody's request depends on anybody else.
 */
export class NodeBatches {
  private readonly queues = new WeakMap<AbortSignal, Queue>();
  /** Whether the server knows only single ones. */
  private isSingle = false;

  constructor(private readonly making: NodeMaking) {}

  /** What {@link NodeMaking.one} promises. */
  make(node: NewNode, signal: AbortSignal): Promise<SealedNode> {
    const queue = this.queues.get(signal) ?? { waiting: [], underWay: 0 };
    this.queues.set(signal, queue);
    const made = Promise.withResolvers<SealedNode>();
    queue.waiting.push({ node, bytes: bytesOf(node), made });
    this.send(queue, signal);
    return made.promise;
  }

  private send(queue: Queue, signal: AbortSignal): void {
    while (queue.waiting.length > 0 && queue.underWay < REQUESTS_MAX) {
      const batch = queue.waiting.splice(0, fitting(queue.waiting));
      queue.underWay += 1;
      void this.request(batch, signal).finally(() => {
        queue.underWay -= 1;
        this.send(queue, signal);
      });
    }
  }

  /** Never rejects: who waits for a node hears of it. */
  private async request(batch: readonly Waiting[], signal: AbortSignal): Promise<void> {
    const results = batch.length === 1 || this.isSingle ? undefined : await this.several(batch, signal);
    const settled = batch.map(async ({ node, made }, at) => {
      const result = results?.[at];
      const isToDo = result === undefined || isBusy(result);
      if (!isToDo && result instanceof Error) made.reject(result);
      else made.resolve(isToDo ? this.making.one(node, signal) : (result as SealedNode));
      await made.promise.catch(() => undefined);
    });
    await Promise.all(settled);
  }

  /** Undefined if the server does not know how. What fails as a whole fails for each. */
  private async several(batch: readonly Waiting[], signal: AbortSignal): Promise<readonly (SealedNode | Error)[] | undefined> {
    const nodes = batch.map(({ node }) => node);
    try {
      return await this.making.several(nodes, signal);
    } catch (cause) {
      // Without a code it is not a folder that is missing, but the call.
      this.isSingle ||= cause instanceof SdkError && cause.kind === 'not-found' && cause.code === undefined;
      const error = cause as Error;
      return this.isSingle ? undefined : nodes.map(() => error);
    }
  }
}

/** Not begun, so that it may be sent again. */
function isBusy(result: SealedNode | Error): boolean {
  return isRetriable(result, { attempts: 1, isRepeatable: false });
}

/** How many of those that wait go together; at least one. */
function fitting(waiting: readonly Waiting[]): number {
  let bytes = 0;
  const end = waiting.findIndex((each, at) => {
    bytes += each.bytes;
    return at > 0 && (at === NODES_MAX || bytes > BYTES_MAX);
  });
  return end < 0 ? waiting.length : end;
}

function bytesOf({ record, manifest, content }: NewNode): number {
  return record.length + (manifest?.length ?? 0) + (content?.length ?? 0);
}
