import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';

/** A request of a client and its answer. */
export interface Exchanged {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** The gateway said nothing for too long. */
export class Silence extends Error {
  readonly code = 'ESILENCE';
}

/** What still moves is not stopped, however silent the gateway is to who asks how it is: it may have more to do than to answer that. */
const STILL_MS_MAX = 1000;

/** What is on its way to the gateway and back, so that nobody waits for it when it is known to be silent. */
export class Passages {
  private readonly running = new Map<ClientRequest, Exchanged>();

  constructor(
    /** Time for which a gateway that is well may say nothing. */
    private readonly silenceMsMax: number,
  ) {}

  add(upstream: ClientRequest, exchange: Exchanged): void {
    this.running.set(upstream, exchange);
    upstream.once('close', () => this.running.delete(upstream));
  }

  /** The gateway does not answer who asks how it is. */
  noteSilence(): void {
    for (const [upstream, { response }] of [...this.running]) {
      const isAnswered = response.headersSent;
      // It is the client that does not read, and nothing could come.
      if (isAnswered && response.writableNeedDrain) continue;
      if (isAnswered || !upstream.writableFinished) upstream.setTimeout(STILL_MS_MAX);
      else upstream.destroy(new Silence());
    }
  }

  /** It answers again. */
  noteAnswer(): void {
    for (const upstream of this.running.keys()) upstream.setTimeout(this.silenceMsMax);
  }
}
