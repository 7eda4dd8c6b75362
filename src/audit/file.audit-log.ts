import type { FileHandle } from 'node:fs/promises';
import { Logger } from '@nestjs/common';
import { BEGIN, type ChainEnd, headOf, lineOf } from './audit-line.js';
import { endIn, fullFiles, openAuditFile, putAside } from './audit-files.js';
import { type AuditEntry, AuditLog } from './audit-log.js';

export interface FileAuditLogOptions {
  readonly path: string;
  /** Bytes after which another file is begun. */
  readonly fileBytesMax: number;
  /** Files that are kept, the present one among them. */
  readonly filesMax: number;
  /** Lines that wait for the disk; more are dropped. */
  readonly linesWaitingMax: number;
}

/** Lines that are written and synced together. */
const GROUP_LINES_MAX = 1024;
/** Pause after the disk refused. */
const RETRY_MS = 1000;

interface Waiting {
  readonly entry: AuditEntry;
  readonly timeMs: number;
}

/** The present file, and what of it is certain. */
interface Present {
  readonly handle: FileHandle;
  size: number;
}

/**
 * Lines of JSON in a file, each with a hash over the one before it and itself: one that is changed, taken out, or put in is seen. The file is
 * opened with the first line. A disk that refuses stops nobody: lines wait, and when too many do, they are counted instead.
 */
export class FileAuditLog extends AuditLog {
  private readonly logger = new Logger('Audit');
  private readonly waiting: Waiting[] = [];
  private file: Present | undefined;
  /** Bytes of the present file that are as they were meant, if an attempt to add to them failed. */
  private certainBytes = Infinity;
  private end: ChainEnd | undefined;
  private writing: Promise<void> | undefined;
  private retry: NodeJS.Timeout | undefined;
  private isClosed = false;
  private isRefused = false;
  private linesWritten = 0;
  private linesDropped = 0;
  /** Of those, how many are not on record yet. */
  private unsaid = 0;

  constructor(private readonly options: FileAuditLogOptions) {
    super();
  }

  /** Lines that are durable, and lines that were given up, since the start. */
  get counts(): { readonly written: number; readonly dropped: number; readonly isRefused: boolean } {
    return { written: this.linesWritten, dropped: this.linesDropped, isRefused: this.isRefused };
  }

  override note(entry: AuditEntry): void {
    if (this.isClosed || this.waiting.length >= this.options.linesWaitingMax) {
      this.drop(1);
      return;
    }
    this.waiting.push({ entry, timeMs: Date.now() });
    this.begin();
  }

  override async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.retry);
    this.retry = undefined;
    await this.writing;
    await this.drain();
    clearTimeout(this.retry);
    if (this.waiting.length > 0) {
      this.drop(this.waiting.splice(0).length);
      this.logger.error({ dropped: this.linesDropped }, 'the audit log could not be written to the end');
    }
    await this.letGo().catch((error: unknown) => this.logger.error({ err: error }, 'the audit log could not be closed'));
  }

  /** Writes what waits, if that is not under way or put off. */
  private begin(): void {
    if (this.retry !== undefined || this.writing !== undefined) return;
    this.writing = this.drain().finally(() => {
      this.writing = undefined;
      if (this.waiting.length > 0 && !this.isClosed) this.begin();
    });
  }

  /** Group by group: what comes while one is on its way to the disk is the next. */
  private async drain(): Promise<void> {
    while (this.waiting.length > 0) {
      const group = this.waiting.slice(0, GROUP_LINES_MAX);
      try {
        await this.append(group);
      } catch (error) {
        await this.refused(error);
        return;
      }
      this.waiting.splice(0, group.length);
      this.linesWritten += group.length;
      this.accepted();
    }
  }

  private async append(group: readonly Waiting[]): Promise<void> {
    let file = this.file ?? (await this.open());
    if (file.size >= this.options.fileBytesMax) file = await this.turnOver();
    let end = this.end ?? BEGIN;
    let text = '';
    for (const { entry, timeMs } of group) {
      const [line, next] = lineOf(entry, timeMs, end);
      text += line;
      end = next;
    }
    await this.write(file, text);
    this.end = end;
  }

  private async write(file: Present, text: string): Promise<void> {
    const bytes = Buffer.from(text);
    this.certainBytes = file.size;
    await file.handle.appendFile(bytes);
    await file.handle.datasync();
    file.size += bytes.length;
    this.certainBytes = Infinity;
  }

  private async open(): Promise<Present> {
    const { path } = this.options;
    const { handle, size, end, tornBytes } = await openAuditFile(path, this.certainBytes);
    const file = { handle, size };
    this.file = file;
    this.certainBytes = Infinity;
    if (tornBytes > 0) this.logger.warn({ bytes: tornBytes }, 'a line of the audit log that a crash cut short was removed');
    const isOdd = size > 0 && end === undefined;
    if (isOdd) this.logger.error('the last line of the audit log is none of ours: dcloud audit verify says more');
    this.end ??= end ?? (isOdd ? BEGIN : await this.endOfFull());
    if (end === undefined) await this.write(file, headOf(this.end));
    return file;
  }

  private async endOfFull(): Promise<ChainEnd> {
    const newest = (await fullFiles(this.options.path)).at(-1);
    return (newest === undefined ? undefined : await endIn(newest)) ?? BEGIN;
  }

  private async turnOver(): Promise<Present> {
    const { path, filesMax } = this.options;
    await this.letGo();
    await putAside(path, this.end ?? BEGIN, filesMax - 1);
    return this.open();
  }

  private async letGo(): Promise<void> {
    const { file } = this;
    this.file = undefined;
    await file?.handle.close();
  }

  private drop(count: number): void {
    if (this.unsaid === 0 && !this.isClosed)
      this.logger.error('lines of the audit log are dropped: more wait for the disk than may');
    this.linesDropped += count;
    this.unsaid += count;
  }

  /** Whatever was written of the group is cut off when the file is opened again: after a sync that failed nobody knows what is there. */
  private async refused(error: unknown): Promise<void> {
    if (!this.isRefused)
      this.logger.error({ err: error }, 'the audit log cannot be written; the server goes on, and its lines wait');
    this.isRefused = true;
    await this.letGo().catch(() => undefined); // it was refused already
    this.retry = setTimeout(() => {
      this.retry = undefined;
      this.begin();
    }, RETRY_MS).unref();
  }

  private accepted(): void {
    if (this.isRefused) this.logger.log('the audit log is written again');
    this.isRefused = false;
    if (this.unsaid === 0) return;
    // They came when all places were taken, so behind those that wait.
    this.waiting.push({ entry: { who: 'store', what: 'audit', result: `dropped ${this.unsaid}` }, timeMs: Date.now() });
    this.unsaid = 0;
  }
}
