/** How far something is. */
export interface Progress {
  /** Bytes of the plaintext, with the parts that were there before a resumed upload went on. */
  readonly sentBytes: number;
  /** Undefined while nobody knows: of a stream. */
  readonly totalBytes: number | undefined;
  /** Of the last seconds. */
  readonly ratePerSecond: number;
  /** Undefined without a total, and before there is a rate. */
  readonly secondsLeft: number | undefined;
}

export type OnProgress = (progress: Progress) => void;

/** A screen shows no more; more events would only take time. */
const EVENT_MS_MIN = 100;
/** After this time a measured rate counts for a third. */
const MEMORY_MS = 3_000;

/** Counts bytes, and tells about them a few times a second. */
export class ProgressMeter {
  private sentBytes = 0;
  private toldMs: number;
  private toldBytes = 0;
  private rate: number | undefined;

  constructor(
    private readonly totalBytes: number | undefined,
    private readonly onProgress: OnProgress | undefined,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.toldMs = now();
  }

  /** What is there already, and was not sent now: no rate follows from it. */
  skip(bytes: number): void {
    this.sentBytes += bytes;
    this.toldBytes += bytes;
  }

  add(bytes: number): void {
    this.sentBytes += bytes;
    if (this.now() - this.toldMs >= EVENT_MS_MIN) this.tell();
  }

  /** The last event, which tells the whole. */
  finish(): void {
    this.tell();
  }

  private tell(): void {
    const ms = this.now() - this.toldMs;
    if (ms > 0) {
      const measured = ((this.sentBytes - this.toldBytes) / ms) * 1_000;
      const weight = Math.exp(-ms / MEMORY_MS);
      this.rate = this.rate === undefined ? measured : this.rate * weight + measured * (1 - weight);
    }
    [this.toldMs, this.toldBytes] = [this.now(), this.sentBytes];
    const { sentBytes, totalBytes } = this;
    const ratePerSecond = this.rate ?? 0;
    const leftBytes = totalBytes === undefined ? undefined : Math.max(0, totalBytes - sentBytes);
    const secondsLeft = leftBytes === undefined || ratePerSecond === 0 ? undefined : leftBytes / ratePerSecond;
    this.onProgress?.({ sentBytes, totalBytes, ratePerSecond, secondsLeft: leftBytes === 0 ? 0 : secondsLeft });
  }
}
