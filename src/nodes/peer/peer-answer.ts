import type { ServerResponse } from 'node:http';
import { totalBytes } from '../../common/total-bytes.js';
import { NodeError } from '../storage-node.js';
import { FrameSealer } from './peer-frames.js';
import type { PeerSecret } from './peer-secret.js';

/** While nothing else is to be said, an empty frame says that the answer goes on. */
const HEARTBEAT_MS = 1000;

/** The answer to one call that proved itself, in frames that prove themselves. */
export class PeerAnswer {
  private readonly sealer: FrameSealer;

  constructor(
    private readonly response: ServerResponse,
    secret: PeerSecret,
    nonce: string,
    private readonly signal: AbortSignal,
  ) {
    this.sealer = new FrameSealer(secret, nonce);
  }

  /** All of an answer that fits into one frame. */
  end(payload: readonly Uint8Array[] = []): void {
    this.finish(this.sealer.data(payload, true));
  }

  fail(error: NodeError): void {
    this.finish(this.sealer.failure(error));
  }

  /** The request was for an earlier run of this process. */
  endOtherRun(): void {
    this.finish(this.sealer.otherRun());
  }

  /**
   * An answer that is at hand, in frames; no faster than the caller takes them. It says how long it is, and so comes in the buffers that the system
   * fills, which the caller can give back as they are; chunks would have to be cut out of them.
   */
  async all(payloads: Iterable<readonly Uint8Array[]>): Promise<void> {
    const frames = [...payloads];
    if (frames.length === 0) frames.push([]);
    this.head(FrameSealer.bytesOf(frames));
    for (const [at, payload] of frames.entries()) await this.write(this.sealer.data(payload, at === frames.length - 1));
    this.response.end();
  }

  /** An answer of many frames as they come, no faster than the caller takes them. */
  async stream(payloads: AsyncIterable<readonly Uint8Array[]>): Promise<void> {
    const iterator = payloads[Symbol.asyncIterator]();
    let isDone = false;
    try {
      for (;;) {
        const step = await this.beating(iterator.next());
        if (step.done === true) break;
        await this.write(this.sealer.data(step.value, false));
      }
      isDone = true;
    } finally {
      if (!isDone) void Promise.resolve(iterator.return?.()).catch(() => undefined);
    }
    this.end();
  }

  /** Resolves when nothing of the answer is needed any more: true if the system has all of it, false if the connection ended before. */
  async isSent(): Promise<boolean> {
    const { response } = this;
    if (!response.writableFinished && !response.destroyed) await eventOf(response, 'finish');
    return response.writableFinished;
  }

  private async beating<Result>(step: Promise<Result>): Promise<Result> {
    const timer = setInterval(() => {
      if (!this.response.writableNeedDrain) this.write(this.sealer.data([], false)).catch(() => undefined);
    }, HEARTBEAT_MS);
    try {
      return await step;
    } finally {
      clearInterval(timer);
    }
  }

  private async write(parts: readonly Uint8Array[]): Promise<void> {
    this.signal.throwIfAborted();
    this.head();
    if (!this.put(parts)) await this.drained();
  }

  private finish(parts: readonly Uint8Array[]): void {
    if (this.response.destroyed) return;
    const length = totalBytes(parts);
    if (!this.response.headersSent) this.head(length);
    this.put(parts);
    this.response.end();
  }

  private head(length?: number): void {
    if (this.response.headersSent) return;
    this.response.writeHead(200, {
      'content-type': 'application/octet-stream',
      'cache-control': 'no-store',
      ...(length === undefined ? {} : { 'content-length': length }),
    });
  }

  /** Not corked: the server does that itself, and of a response that is corked by hand the `drain` may never come. */
  private put(parts: readonly Uint8Array[]): boolean {
    let isFree = true;
    for (const part of parts) if (part.byteLength > 0) isFree = this.response.write(part);
    return isFree;
  }

  /** How long a caller may take none of it, is the server's time for silence on a connection. */
  private async drained(): Promise<void> {
    await eventOf(this.response, 'drain');
    this.signal.throwIfAborted();
  }
}

/** Waits for an event, or for the end of the connection. */
async function eventOf(response: ServerResponse, event: 'drain' | 'finish'): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const onEvent = (): void => resolve(undefined);
  response.once(event, onEvent).once('close', onEvent);
  try {
    await promise;
  } finally {
    response.off(event, onEvent).off('close', onEvent);
  }
}
