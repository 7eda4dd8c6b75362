import { createReadStream, existsSync } from 'node:fs';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { fullFiles } from './audit-files.js';
import { type ChainEnd, following, placeOf } from './audit-line.js';

/** A place in which the chain is broken. */
export interface AuditBreak {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly reason: string;
}

export interface AuditReport {
  readonly files: number;
  readonly lines: number;
  /** The number of the oldest line that is kept; undefined if there is none. */
  readonly first: number | undefined;
  readonly end: ChainEnd | undefined;
  readonly breaks: readonly AuditBreak[];
  /** Whether a line has the hash that was looked for. */
  readonly isExpectedFound: boolean;
}

/**
 * Proves the chain of an audit log from the oldest file that is kept to the newest. The last line of a log that is being written may be
 * incomplete, and is not looked at then.
 * @param expected the hash of a line that is to be there: without one, lines cut off at the end are not missed
 */
export async function verifyAudit(path: string, expected: string | undefined): Promise<AuditReport> {
  const walk = new Walk(expected);
  const files = [...(await fullFiles(path)), ...(existsSync(path) ? [path] : [])];
  for (const file of files) {
    walk.begin(basename(file));
    const lines = createInterface({ input: createReadStream(file), crlfDelay: 0 });
    let held: string | undefined;
    for await (const line of lines) {
      if (held !== undefined) walk.see(held);
      held = line;
    }
    if (held !== undefined && (file !== path || placeOf(held) !== undefined)) walk.see(held);
  }
  return walk.report(files.length);
}

class Walk {
  private readonly breaks: AuditBreak[] = [];
  private file = '';
  private at = 0;
  private lines = 0;
  private first: number | undefined;
  private end: ChainEnd | undefined;
  private isFound = false;

  constructor(private readonly expected: string | undefined) {}

  begin(file: string): void {
    this.file = file;
    this.at = 0;
  }

  see(line: string): void {
    this.at += 1;
    const place = placeOf(line);
    if (place === undefined) {
      this.miss('it is no line of an audit log');
      return;
    }
    if (place.isHead) this.seeHead(place);
    else this.seeLine(line, place);
    this.end = { n: place.n, hash: place.hash };
    if (place.hash === this.expected) this.isFound = true;
  }

  report(files: number): AuditReport {
    const { lines, first, end, breaks, isFound } = this;
    return { files, lines, first, end, breaks, isExpectedFound: isFound };
  }

  /** The oldest file that is kept may follow one that is not; any other follows the one before it, and is begun once. */
  private seeHead({ n, hash }: ChainEnd): void {
    if (this.at > 1) this.miss('the chain was begun anew in the middle of a file');
    else if (this.end !== undefined && (this.end.n !== n || this.end.hash !== hash))
      this.miss(`the file follows line ${n}, and the one before it ends with line ${this.end.n}`);
  }

  private seeLine(line: string, { n }: ChainEnd): void {
    this.lines += 1;
    this.first ??= n;
    if (this.end === undefined) this.miss('the file has no beginning');
    else if (this.at === 1) this.miss('the first line of the file is missing');
    else if (n !== this.end.n + 1) this.miss(`it has the number ${n} and stands behind ${this.end.n}`);
    else if (following(line, this.end) === undefined) this.miss(`line ${n}, or the one before it, is not as it was written`);
  }

  private miss(reason: string): void {
    this.breaks.push({ file: this.file, line: this.at, reason });
  }
}
