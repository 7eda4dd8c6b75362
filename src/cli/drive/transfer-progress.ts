import { ProgressMeter, type OnProgress, type Progress } from '../../sdk/progress.js';
import type { Output } from './output.js';
import { humanSize, humanTime } from './visible.js';

/** Where nobody looks on while it goes on, a line in this time is enough. */
const LINE_MS = 5_000;
const BAR_COLUMNS = 20;

export interface Totals {
  readonly files: number;
  readonly bytes: number | undefined;
}

/** One for all files of a command: a bar on a terminal, a line now and then elsewhere. */
export class TransferProgress {
  private readonly meter: ProgressMeter;
  private endedFiles = 0;
  private toldMs: number;

  constructor(
    private readonly output: Output,
    private readonly totals: Totals,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.toldMs = now();
    this.meter = new ProgressMeter(totals.bytes, (progress) => this.show(progress), now);
  }

  /** The part of one file. @param size counted in full when it has ended, however it did */
  file(size: number | undefined): { readonly onProgress: OnProgress; end(): void } {
    let counted = 0;
    const countTo = (bytes: number): void => {
      const added = Math.max(0, bytes - counted);
      counted += added;
      this.meter.add(added);
    };
    return {
      onProgress: ({ sentBytes }) => countTo(size === undefined ? sentBytes : Math.min(size, sentBytes)),
      end: () => {
        this.endedFiles += 1;
        countTo(size ?? counted);
      },
    };
  }

  stop(): void {
    this.output.setStatus('');
  }

  private show(progress: Progress): void {
    if (this.output.isLive) {
      this.output.setStatus(this.line(progress).slice(0, this.output.statusColumns - 1));
      return;
    }
    if (this.now() - this.toldMs < LINE_MS) return;
    this.toldMs = this.now();
    this.output.note(this.line(progress));
  }

  private line({ sentBytes, totalBytes, ratePerSecond, secondsLeft }: Progress): string {
    const parts = [
      totalBytes === undefined
        ? humanSize(sentBytes)
        : `${this.bar(sentBytes, totalBytes)}${humanSize(sentBytes)} of ${humanSize(totalBytes)}`,
      `${humanSize(ratePerSecond)}/s`,
      secondsLeft === undefined ? undefined : `${humanTime(secondsLeft)} left`,
      this.totals.files > 1 ? `${this.endedFiles} of ${this.totals.files} files` : undefined,
    ];
    return parts.filter((part) => part !== undefined).join('  ');
  }

  private bar(sentBytes: number, totalBytes: number): string {
    const share = totalBytes === 0 ? 1 : Math.min(1, sentBytes / totalBytes);
    const percent = `${String(Math.floor(share * 100)).padStart(3)} %  `;
    if (!this.output.isLive) return percent;
    const full = Math.round(share * BAR_COLUMNS);
    return `[${'#'.repeat(full)}${'-'.repeat(BAR_COLUMNS - full)}] ${percent}`;
  }
}
