import { createHash } from 'node:crypto';
import { someBytes } from '../bytes.ts';

/** Bytes that can be made again from two numbers. */
export interface Content {
  readonly seed: number;
  readonly size: number;
  readonly sha256: string;
}

/** A file as its owner wants it. */
export interface FileState {
  readonly name: string;
  readonly contentType: string;
  readonly content: Content;
}

/** What became of an operation: `unknown` may or may not have happened, `refused` has not. */
export type Outcome = 'sent' | 'done' | 'refused' | 'unknown';

/** An operation that changes a file: to this state, or to none at all. Times are ticks of the journal. */
export interface Step {
  readonly state: FileState | null;
  readonly sentAt: number;
  answeredAt: number;
  outcome: Outcome;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function makeContent(seed: number, size: number): Content {
  return { seed, size, sha256: sha256(someBytes(size, seed)) };
}

export function bytesOf({ seed, size }: Content): Buffer<ArrayBuffer> {
  return someBytes(size, seed);
}

/** One file through its life. The operations on it come one after the other; only reads may run beside them. */
export class JournalFile {
  id: string | undefined;
  /** Every content that it had or may have had, for telling what wrong bytes are. */
  readonly contents: Content[] = [];
  readonly names = new Set<string>();
  private steps: Step[] = [];

  send(state: FileState | null, sentAt: number): Step {
    const step: Step = { state, sentAt, answeredAt: Infinity, outcome: 'sent' };
    this.steps.push(step);
    if (state !== null) {
      this.contents.push(state.content);
      this.names.add(state.name);
    }
    return step;
  }

  /**
   * Every state that a reader may see who asks at `from` and has the answer at `until`: that of the last operation that was acknowledged
   * before, and of all that were sent since and not refused. Null is: there is no such file.
   */
  possible(from: number, until: number): readonly (FileState | null)[] {
    const counting = this.steps.filter(({ outcome, sentAt }) => outcome !== 'refused' && sentAt <= until);
    const last = counting.findLastIndex(({ outcome, answeredAt }) => outcome === 'done' && answeredAt < from);
    const states = counting.slice(Math.max(0, last)).map(({ state }) => state);
    return last < 0 ? [null, ...states] : states;
  }

  /** The state, if there is only one that it can be in. */
  certain(now: number): FileState | null | undefined {
    const states = this.possible(now, now);
    return states.length === 1 ? states[0] : undefined;
  }

  /** What was uncertain after a crash has been seen, and stays so. */
  settle(state: FileState | null, now: number): void {
    this.steps = [{ state, sentAt: now, answeredAt: now, outcome: 'done' }];
    this.contents.splice(0, Math.max(0, this.contents.length - 4));
  }
}

/** All that the clients have asked for, and what they were answered. */
export class Journal {
  /** Files that are there or may be there. */
  readonly files = new Set<JournalFile>();
  /** Ids of files that were deleted for good. */
  readonly gone = new Set<string>();
  /** Names of files that were not there after a crash: no answer had come, so their ids are not known. */
  readonly goneNames = new Set<string>();
  private readonly busy = new Set<JournalFile>();
  private ticks = 0;

  /** The time: each call is later than all before. */
  tick(): number {
    return (this.ticks += 1);
  }

  create(state: FileState): { readonly file: JournalFile; readonly step: Step } {
    const file = new JournalFile();
    this.files.add(file);
    this.busy.add(file);
    return { file, step: file.send(state, this.tick()) };
  }

  send(file: JournalFile, state: FileState | null): Step {
    return file.send(state, this.tick());
  }

  /** Notes the answer to an operation. A file of which the state is uncertain now stays taken until it is settled. */
  answer(file: JournalFile, step: Step, outcome: Outcome): void {
    step.outcome = outcome;
    step.answeredAt = this.tick();
    if (outcome === 'unknown') return;
    this.busy.delete(file);
    if (file.certain(this.tick()) === null) this.forget(file);
  }

  /** A file that surely is there and that nobody works on, taken by the caller until the answer to what he sends; undefined if there is none. */
  take(pick: (files: readonly JournalFile[]) => JournalFile): { file: JournalFile; id: string; state: FileState } | undefined {
    const free = [...this.files].filter((file) => file.id !== undefined && !this.busy.has(file));
    if (free.length === 0) return undefined;
    const file = pick(free);
    const state = file.certain(this.tick());
    if (state === undefined || state === null || file.id === undefined) throw new Error('a free file has no certain state');
    this.busy.add(file);
    return { file, id: file.id, state };
  }

  /** After a crash and a check: the file is as it was seen, and may be worked on again. */
  settle(file: JournalFile, state: FileState | null): void {
    if (file.id === undefined) for (const name of file.names) this.goneNames.add(name);
    file.settle(state, this.tick());
    this.busy.delete(file);
    if (state === null) this.forget(file);
  }

  /** Files on which an operation has been sent and not answered, or not clearly. */
  get uncertain(): number {
    return this.busy.size;
  }

  private forget(file: JournalFile): void {
    this.files.delete(file);
    if (file.id !== undefined) this.gone.add(file.id);
  }
}
