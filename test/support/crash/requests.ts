import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../client.ts';
import { bytesOf, type FileState, type Journal, type JournalFile, type Step } from './journal.ts';
import { ANSWER_MS_MAX } from './judge.ts';
import type { Findings } from './violation.ts';

const PIECES = 4;

/**
 * What is no fault: `breaks`, since the server was killed or has to end connections; `errors` too, since its disks are gone, and then
 * nothing is known of a change that was answered with one. `faults`: the same, since nodes and connections fail on purpose, but who answers
 * that a file is not there, or that there were too few nodes for a change, is taken at his word.
 */
export type Tolerance = 'nothing' | 'breaks' | 'errors' | 'faults';

/** Where the requests of a load go, and what they are held against. */
export interface RequestParts {
  /** Asked anew for each request: a cluster has several. */
  readonly url: string;
  readonly journal: Journal;
  readonly findings: Findings;
  /** Time after which a client gives up. */
  readonly answerMsMax?: number;
  /** Called at each acknowledgement of a change, in the very moment. */
  readonly onAcknowledged?: () => void;
}

/** The operations of the load: each is written into the journal when it is sent and when it is answered. */
export class Requests {
  /** Changes that were acknowledged. */
  acknowledged = 0;
  /** Requests that the server refused with 503, which it may. */
  refused = 0;
  /** Requests of which the connection ended without an answer. */
  broken = 0;
  private readonly parts: RequestParts;
  private readonly journal: Journal;
  private readonly findings: Findings;
  private tolerance: Tolerance = 'nothing';

  constructor(parts: RequestParts) {
    this.parts = parts;
    this.journal = parts.journal;
    this.findings = parts.findings;
  }

  get answerMsMax(): number {
    return this.parts.answerMsMax ?? ANSWER_MS_MAX;
  }

  tolerate(tolerance: Tolerance): void {
    this.tolerance = tolerance;
  }

  reportBreak(what: string): void {
    this.broken += 1;
    if (this.tolerance === 'nothing') this.report(`${what}: the connection broke, and nobody had killed the server`);
  }

  reportError(what: string, status: number, body: string): void {
    if (status === 404 && this.tolerance === 'faults') this.findings.report('lost', `${what} answered 404`);
    else if (!this.mayFail(status)) this.report(`${what} answered ${status}: ${body.slice(0, 500)}`);
  }

  private mayFail(status: number): boolean {
    return this.tolerance === 'errors' || (this.tolerance === 'faults' && status >= 500);
  }

  private report(detail: string): void {
    this.findings.report('failed-request', detail);
  }

  async create(state: FileState, { pauseMs }: { readonly pauseMs: number }): Promise<void> {
    const { file, step } = this.journal.create(state);
    await this.change(file, step, () =>
      this.ask('PUT', `/files?name=${encodeURIComponent(state.name)}`, {
        body: bodyOf(state, pauseMs),
        headers: { 'content-type': state.contentType },
      }),
    );
  }

  async replace(
    file: JournalFile,
    state: FileState,
    { pauseMs, previous }: { readonly pauseMs: number; readonly previous: FileState },
  ): Promise<void> {
    const headers = state.contentType === previous.contentType ? {} : { 'content-type': state.contentType };
    const step = this.journal.send(file, state);
    await this.change(file, step, () => this.ask('PUT', `/files/${String(file.id)}`, { body: bodyOf(state, pauseMs), headers }));
  }

  /** PATCH: the name, and the type if it is another. */
  async update(file: JournalFile, state: FileState, previous: FileState): Promise<void> {
    const { name, contentType } = state;
    const body = JSON.stringify(contentType === previous.contentType ? { name } : { name, contentType });
    const headers = { 'content-type': 'application/json' };
    const step = this.journal.send(file, state);
    await this.change(file, step, () => this.ask('PATCH', `/files/${String(file.id)}`, { body, headers }));
  }

  async remove(file: JournalFile): Promise<void> {
    const step = this.journal.send(file, null);
    await this.change(file, step, () => this.ask('DELETE', `/files/${String(file.id)}`, {}));
  }

  /** A client that leaves in the middle of a new version: the file stays what it was, whatever the server had taken by then. */
  async abort(file: JournalFile, state: FileState): Promise<void> {
    const step = this.journal.send(file, state);
    step.outcome = 'refused'; // from the start: nobody may ever see it
    const bytes = bytesOf(state.content);
    async function* half(): AsyncGenerator<Uint8Array, void, undefined> {
      if (bytes.length > 1) yield bytes.subarray(0, bytes.length / 2);
      await sleep(5);
      throw new Error('the client leaves');
    }
    const answer = await this.ask('PUT', `/files/${String(file.id)}`, { body: ReadableStream.from(half()) }).catch(
      () => undefined,
    );
    if (answer?.ok === true) this.findings.report('failed-request', `PUT ${String(file.id)} took a body that had not ended`);
    this.journal.answer(file, step, 'refused');
  }

  /** The list under load: every file that had one state all the time is there, once and with that name. */
  async list(): Promise<void> {
    const from = this.journal.tick();
    const files = [...this.journal.files];
    const gone = new Set(this.journal.gone);
    const listed = await new Client(this.parts.url, this.answerMsMax).listAll().catch(() => undefined);
    if (listed === undefined) {
      this.reportBreak('GET /files/list');
      return;
    }
    const until = this.journal.tick();
    for (const { id, name } of listed)
      if (gone.has(id)) this.findings.report('resurrected', `${id} (${name}) is in a list under load`);
    const names = Map.groupBy(listed, ({ id }) => id);
    for (const { id, state } of files.flatMap((file) => steadyState(file, { from, until }))) {
      const [found, other] = names.get(id) ?? [];
      if (found === undefined) this.findings.report('lost', `${id} (${state.name}) is not in a list under load`);
      else if (other !== undefined) this.findings.report('listed-twice', `${id} (${state.name}) under load`);
      else if (found.name !== state.name)
        this.findings.report('wrong-name', `${id} is ${found.name} under load, not ${state.name}`);
    }
  }

  private ask(method: string, path: string, init: RequestInit): Promise<Response> {
    const signal = AbortSignal.timeout(this.answerMsMax);
    return fetch(`${this.parts.url}${path}`, { ...init, method, duplex: 'half', signal });
  }

  /** The head of the answer is the acknowledgement: what comes behind may be lost with the server. */
  private async change(file: JournalFile, step: Step, ask: () => Promise<Response>): Promise<void> {
    const fields = { id: file.id, sentAt: step.sentAt, state: step.state };
    try {
      const response = await ask();
      if (response.ok) {
        file.id ??= /^\/files\/([0-9a-f-]{36})$/.exec(response.headers.get('location') ?? '')?.[1];
        this.journal.answer(file, step, 'done');
        this.acknowledged += 1;
        this.parts.onAcknowledged?.();
      } else await this.answerRefusal(file, step, response);
      this.findings.note('answered', { ...fields, ...whereOf(response), id: file.id, answeredAt: step.answeredAt });
      if (!response.bodyUsed) await response.arrayBuffer().catch(() => undefined);
    } catch (error) {
      if (step.outcome === 'sent') this.journal.answer(file, step, this.isUnheard(error) ? 'refused' : 'unknown');
      this.findings.note('broke', { ...fields, error: String(error) });
      this.reportBreak(`${step.state === null ? 'DELETE' : 'a write'} of ${String(file.id)}`);
    }
  }

  /** True if nobody was there to be asked, which is no secret to the client. */
  private isUnheard(error: unknown): boolean {
    const cause = (error as { readonly cause?: { readonly code?: string } }).cause;
    return this.tolerance === 'faults' && cause?.code === 'ECONNREFUSED';
  }

  private async answerRefusal(file: JournalFile, step: Step, response: Response): Promise<void> {
    const text = await response.text();
    const isSure = this.tolerance === 'faults' ? text.includes('"not-enough-nodes"') : this.tolerance !== 'errors';
    const isUnknown = response.status === 503 && text.includes('"outcome-unknown"');
    if (response.status === 503 && isSure && !isUnknown) {
      this.journal.answer(file, step, 'refused');
      this.refused += 1;
    } else {
      this.journal.answer(file, step, 'unknown');
      if (!isUnknown) this.reportError(response.url, response.status, text);
    }
  }
}

function whereOf({ url, status }: Response): { readonly host: string; readonly status: number } {
  return { host: new URL(url).host, status };
}

/** The state of a file if it is there and had this one state all the time; else nothing. */
function steadyState(
  file: JournalFile,
  { from, until }: { readonly from: number; readonly until: number },
): readonly { readonly id: string; readonly state: FileState }[] {
  const [state, other] = file.possible(from, until);
  return file.id === undefined || state === undefined || state === null || other !== undefined ? [] : [{ id: file.id, state }];
}

/** The body at once, or in pieces with pauses between. */
function bodyOf({ content }: FileState, pauseMs: number): NonNullable<RequestInit['body']> {
  const bytes = bytesOf(content);
  if (pauseMs === 0) return bytes;
  async function* pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let piece = 0; piece < PIECES; piece += 1) {
      if (piece > 0) await sleep(pauseMs);
      const part = bytes.subarray((bytes.length * piece) / PIECES, (bytes.length * (piece + 1)) / PIECES);
      if (part.length > 0) yield part;
    }
  }
  return ReadableStream.from(pieces());
}
