import { appendFileSync } from 'node:fs';

/** What a store can do wrong, as the harness tells it apart. */
export type ViolationKind =
  /** An acknowledged file is not listed, or its address does not know it. */
  | 'lost'
  /** A file is listed or answered that was deleted, and the deletion acknowledged. */
  | 'resurrected'
  /** A file is listed that nobody ever sent. */
  | 'unknown'
  | 'listed-twice'
  /** A file is listed, and its bytes are answered with an error or a broken connection. */
  | 'unreadable'
  /** The bytes are the beginning of what they should be. */
  | 'truncated'
  /** The bytes are in part those of one version and in part those of another. */
  | 'mixed'
  | 'wrong-bytes'
  /** Name, type, size or digest are not those of the bytes that are answered. */
  | 'wrong-name'
  | 'wrong-type'
  | 'wrong-size'
  | 'wrong-digest'
  /** A reader was answered with what had been replaced before he asked, or the changes of a file have no order that fits all answers. */
  | 'stale'
  /** No change was acknowledged though there were nodes enough. */
  | 'stalled'
  /** Fewer copies than the configuration asks for, with all nodes up. */
  | 'thin'
  /** The record is not what it was before a clean stop or a rebuild. */
  | 'changed-record'
  /** A healthy server answered with an error, broke a connection, or did not answer in time. */
  | 'failed-request'
  /** The server did not start, ended by itself, or did not stop in order. */
  | 'failed-process'
  /** Bytes stay on the nodes that belong to no file. */
  | 'orphans';

export interface Violation {
  readonly kind: ViolationKind;
  readonly detail: string;
}

/** Where violations are reported, and the events that led to them are written down. */
export class Findings {
  readonly violations: Violation[] = [];
  private readonly logFile: string | undefined;
  private lines: string[] = [];

  /** With a file, every event is appended to it as a line of JSON. */
  constructor(logFile?: string) {
    this.logFile = logFile;
  }

  /** The same is told once. */
  report(kind: ViolationKind, detail: string): void {
    if (this.violations.some((other) => other.kind === kind && other.detail === detail)) return;
    this.violations.push({ kind, detail });
    this.note('violation', { kind, detail });
  }

  note(event: string, fields: Readonly<Record<string, unknown>>): void {
    if (this.logFile !== undefined) this.lines.push(JSON.stringify({ at: Date.now(), event, ...fields }));
  }

  /** Writes what was noted since the last time. Not at each note: that would slow down the load. */
  flush(): void {
    if (this.logFile !== undefined && this.lines.length > 0) appendFileSync(this.logFile, `${this.lines.join('\n')}\n`);
    this.lines = [];
  }
}
