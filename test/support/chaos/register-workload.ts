import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../client.ts';
import { bytesOf, type Content, makeContent, sha256 } from '../crash/journal.ts';
import { kindOfWrongBytes, see } from '../crash/judge.ts';
import type { Random } from '../crash/random.ts';
import type { Findings } from '../crash/violation.ts';
import { contradictionOf, type RegisterOperation } from './linearizable.ts';

const KiB = 1024;
/** Pause of a client between two operations, at the most, if it has no other: a history is no better for being long. */
const PAUSE_MS_MAX = 60;
/** Each asks any one of the processes, and four of five may be away. */
const FINAL_ATTEMPTS = 60;
const FINAL_REST_MS = 200;

export interface RegisterShape {
  readonly registers: number;
  readonly writers: number;
  readonly readers: number;
  readonly answerMsMax: number;
  /** Pause of a client between two operations, at the most. */
  readonly pauseMsMax?: number;
}

export interface RegisterParts {
  /** Asked anew for each request: a cluster has several. */
  readonly url: string;
  readonly random: Random;
  readonly findings: Findings;
  readonly shape: RegisterShape;
}

/** One file that many replace and read at once, with all that was seen of it. */
interface Register {
  readonly id: string;
  history: RegisterOperation[];
  /** The value at the beginning of the history. */
  initial: number;
  /** Of each value that was sent. */
  readonly contents: Map<number, Content>;
  readonly valueOfSum: Map<string, number>;
  readonly valueOfEtag: Map<string, number>;
}

/**
 * A few files, each replaced again and again by several clients while others read it: what they are answered must be the history of a register
 * that changes at one moment for all. Some writes are conditional (If-Match).
 */
export class RegisterWorkload {
  acknowledged = 0;
  private readonly parts: RegisterParts;
  private readonly registers: Register[] = [];
  private readonly began = Date.now();
  private isOver = false;
  private ticks = 0;
  private values = 0;

  constructor(parts: RegisterParts) {
    this.parts = parts;
  }

  /** Makes the files, with nothing wrong anywhere. */
  async create(): Promise<void> {
    for (let at = 0; at < this.parts.shape.registers; at += 1) {
      const content = makeContent(0, 100);
      const { id, etag } = await new Client(this.parts.url).put(`register ${at}`, bytesOf(content));
      const sums = new Map([[content.sha256, 0]]);
      const contents = new Map([[0, content]]);
      this.registers.push({ id, history: [], initial: 0, contents, valueOfSum: sums, valueOfEtag: new Map([[etag, 0]]) });
    }
  }

  get ids(): readonly string[] {
    return this.registers.map(({ id }) => id);
  }

  /** Runs until `stop`; resolves when the last operation is answered. */
  async run(): Promise<void> {
    const { random, shape } = this.parts;
    this.isOver = false;
    const clients = this.registers.flatMap((register) => [
      ...Array.from({ length: shape.writers }, (_, at) => ({ register, by: `writer ${at}`, act: this.write.bind(this) })),
      ...Array.from({ length: shape.readers }, (_, at) => ({ register, by: `reader ${at}`, act: this.read.bind(this) })),
    ]);
    await Promise.all(
      clients.map(async ({ register, by, act }) => {
        const own = random.fork();
        while (!this.isOver) {
          await act(register, own, by);
          await sleep(own.below(shape.pauseMsMax ?? PAUSE_MS_MAX));
        }
      }),
    );
  }

  stop(): void {
    this.isOver = true;
  }

  /** Reads each once, or reports that it cannot be read. */
  async probe(): Promise<void> {
    for (const register of this.registers) await this.readLast(register);
  }

  /** With nothing under way any more: reads each register, judges its history, and begins a new one. Returns how many operations were judged. */
  async check(): Promise<number> {
    let judged = 0;
    for (const register of this.registers) {
      const last = await this.readLast(register);
      judged += register.history.length;
      const found = contradictionOf(register.history, register.initial);
      if (found !== undefined) this.parts.findings.report('stale', describe(register, found));
      if (last !== undefined) Object.assign(register, { initial: last, history: [] });
    }
    return judged;
  }

  private async readLast(register: Register): Promise<number | undefined> {
    for (let left = FINAL_ATTEMPTS; left > 0; left -= 1) {
      const value = await this.read(register, this.parts.random, 'checker');
      if (value !== undefined || this.parts.findings.violations.length > 0) return value;
      await sleep(FINAL_REST_MS);
    }
    this.parts.findings.report('unreadable', `register ${register.id} cannot be read, with no more wrong than may be`);
    return undefined;
  }

  private spell(by: string, url: string): string {
    return `${by} at ${new URL(url).host}, answered at ${((Date.now() - this.began) / 1000).toFixed(3)} s`;
  }

  private tick(): number {
    return (this.ticks += 1);
  }

  private async write(register: Register, random: Random, by: string): Promise<void> {
    const value = (this.values += 1);
    const content = makeContent(value, random.chance(0.75) ? random.between(50, 3000) : random.between(70 * KiB, 200 * KiB));
    register.contents.set(value, content);
    register.valueOfSum.set(content.sha256, value);
    // A condition on what has been replaced long since must be refused.
    const [etag, basis] = random.chance(0.25) ? ([...register.valueOfEtag].at(random.chance(0.3) ? -5 : -1) ?? []) : [];
    const sentAt = this.tick();
    const { url, shape } = this.parts;
    const note = (outcome: string, answeredAt?: number): void => {
      if (outcome !== 'refused')
        register.history.push({
          kind: 'write',
          value,
          basis,
          sentAt,
          answeredAt: answeredAt ?? Infinity,
          by: this.spell(by, url),
        });
      this.parts.findings.note('register', { id: register.id, by, url, write: value, basis, sentAt, answeredAt, outcome });
    };
    try {
      const response = await fetch(`${url}/files/${register.id}`, {
        method: 'PUT',
        body: bytesOf(content),
        ...(etag === undefined ? {} : { headers: { 'if-match': etag } }),
        signal: AbortSignal.timeout(shape.answerMsMax),
      });
      const answeredAt = this.tick();
      if (response.ok) {
        this.acknowledged += 1;
        const { etag: own } = (await response.json().catch(() => ({}))) as { readonly etag?: string };
        if (own !== undefined) register.valueOfEtag.set(own, value);
        note('done', answeredAt);
      } else note(this.judgeRefusal(register, response.status, await response.text().catch(() => '')));
    } catch {
      note('unknown');
    }
  }

  private judgeRefusal({ id }: Register, status: number, text: string): 'refused' | 'unknown' {
    if (status === 412 || (status === 503 && text.includes('"not-enough-nodes"'))) return 'refused';
    if (status === 404) this.parts.findings.report('lost', `PUT of register ${id} answered 404`);
    else if (status < 500) this.parts.findings.report('failed-request', `PUT of register ${id} answered ${status}: ${text}`);
    return 'unknown';
  }

  /** The value that was read; undefined if there was no answer, or a wrong one, which is reported. */
  private async read(register: Register, _random: Random, by: string): Promise<number | undefined> {
    const { url, findings, shape } = this.parts;
    const sentAt = this.tick();
    const { status, bytes, etag } = await see(url, register.id, { msMax: shape.answerMsMax });
    const answeredAt = this.tick();
    if (status === 404) findings.report('lost', `GET of register ${register.id} answered 404 at ${url}`);
    else if (status !== 200 && status < 500 && status > 0)
      findings.report('failed-request', `GET of register ${register.id}: ${status}`);
    if (status !== 200 || bytes === undefined) return undefined;
    const value = register.valueOfSum.get(sha256(bytes));
    findings.note('register', { id: register.id, by, url, read: value, sentAt, answeredAt });
    if (value === undefined) {
      const contents = [...register.contents.values()];
      const kind = kindOfWrongBytes(bytes, { allowed: contents, contents });
      findings.report(kind, `GET of register ${register.id} answered ${bytes.length} bytes at ${url}`);
      return undefined;
    }
    this.learnEtag(register, etag, value);
    register.history.push({ kind: 'read', value, sentAt, answeredAt, by: this.spell(by, url) });
    return value;
  }

  private learnEtag({ id, valueOfEtag }: Register, etag: string | null, value: number): void {
    if (etag === null) return;
    const known = valueOfEtag.get(etag);
    if (known !== undefined && known !== value)
      this.parts.findings.report('mixed', `register ${id} had value ${known} with ETag ${etag}, and now ${value} with the same`);
    valueOfEtag.set(etag, value);
  }
}

function describe({ id }: Register, { operation, possible, before }: NonNullable<ReturnType<typeof contradictionOf>>): string {
  const lines = before.map((each) => `  ${spell(each)}${each === operation ? '   <- no order explains it' : ''}`);
  const [last] = before.includes(operation) ? [] : [`  ${spell(operation)}   <- no order explains it`];
  return [`register ${id} had one of the values ${possible.join(', ')}:`, ...lines, ...(last === undefined ? [] : [last])].join(
    '\n',
  );
}

function spell({ kind, value, basis, sentAt, answeredAt, by }: RegisterOperation): string {
  const condition = basis === undefined ? '' : ` if ${basis}`;
  return `${sentAt}–${answeredAt === Infinity ? '?' : answeredAt} ${kind} ${value}${condition} (${by ?? ''})`;
}
