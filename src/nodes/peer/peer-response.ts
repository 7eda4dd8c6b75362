import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { free, release } from '../../common/release.js';

/** What is as long as this has not come from the buffer that Node.js cuts small ones out of. */
const OWN_BYTES_LEAST = Buffer.poolSize / 2;
/** So many bytes may lie here before the connection is held up. */
const HELD_BYTES_MAX = 256 * 1024;

/**
 * Gives back the buffer of a piece that was copied. The first piece of an answer follows its head in one buffer, which was read by then; behind a
 * piece that ends its buffer there is nothing.
 */
export function releasePiece(piece: Uint8Array): void {
  const { buffer, byteOffset, byteLength } = piece;
  if (byteLength >= OWN_BYTES_LEAST && byteOffset + byteLength === buffer.byteLength) free(buffer);
  else release(piece);
}

export interface ResponseHead {
  readonly statusCode: number;
  readonly headers: IncomingHttpHeaders;
}

/**
 * One response as undici gives it, piece by piece. Its own `request` makes a stream of it, of which a small call has no use, and which joins what
 * has come into buffers anew; those before are left to the collector of garbage.
 */
export class PeerResponse implements Dispatcher.DispatchHandler {
  private readonly begun = Promise.withResolvers<ResponseHead>();
  private readonly pieces: Uint8Array[] = [];
  private heldBytes = 0;
  private controller: Dispatcher.DispatchController | undefined;
  private isEnded = false;
  private failure: { readonly error: unknown } | undefined;
  private wake: (() => void) | undefined;

  /** @param signal ends it, with its reason */
  constructor(private readonly signal: AbortSignal) {
    this.begun.promise.catch(() => undefined); // it is heard by who waits for it
    signal.addEventListener('abort', this.onAbort, { once: true });
    if (signal.aborted) this.onAbort();
  }

  /** Resolves when the head has come. Throws what ended the connection before, and the reason of the signal. */
  get head(): Promise<ResponseHead> {
    return this.begun.promise;
  }

  /** The body, once; see {@link releasePiece} for its pieces. Who stops before the end ends the connection. */
  async *body(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (let piece = await this.next(); piece !== undefined; piece = await this.next()) yield piece;
    } finally {
      this.close();
    }
  }

  /** Ends it, if it has not ended. */
  close(): void {
    this.signal.removeEventListener('abort', this.onAbort);
    if (!this.isEnded && this.failure === undefined) this.fail(new Error('the answer is not wanted'));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.failure !== undefined) controller.abort(asError(this.failure.error));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, statusCode: number, headers: IncomingHttpHeaders): void {
    if (statusCode >= 200) this.begun.resolve({ statusCode, headers });
  }

  onResponseData(controller: Dispatcher.DispatchController, piece: Uint8Array): void {
    this.pieces.push(piece);
    this.heldBytes += piece.length;
    if (this.heldBytes >= HELD_BYTES_MAX) controller.pause();
    this.wake?.();
  }

  onResponseEnd(): void {
    this.isEnded = true;
    this.wake?.();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: unknown): void {
    this.failure ??= { error };
    this.begun.reject(this.failure.error);
    this.wake?.();
  }

  private async next(): Promise<Uint8Array | undefined> {
    while (this.pieces.length === 0 && !this.isEnded && this.failure === undefined)
      await new Promise<void>((resolve) => (this.wake = resolve));
    if (this.failure !== undefined) throw this.failure.error;
    const piece = this.pieces.shift();
    this.heldBytes -= piece?.length ?? 0;
    if (this.heldBytes === 0 && this.controller?.paused === true) this.controller.resume();
    return piece;
  }

  private readonly onAbort = (): void => this.fail(this.signal.reason);

  private fail(error: unknown): void {
    this.failure ??= { error };
    this.begun.reject(error);
    this.controller?.abort(asError(error));
    this.wake?.();
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('it was aborted', { cause: reason });
}
