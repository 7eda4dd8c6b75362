/** What is left of something that goes over many files, and when it may be done. */
export interface WorkLeft {
  readonly files: number;
  readonly bytes: number;
}

/** Counts down what is left, and says from the speed so far how long that will take. */
export class WorkProgress {
  private left: WorkLeft;
  private readonly began: number;

  constructor(
    private readonly all: WorkLeft,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.left = all;
    this.began = now();
  }

  get files(): number {
    return this.left.files;
  }

  get bytes(): number {
    return this.left.bytes;
  }

  /** Seconds until nothing is left; undefined before the first file is done. */
  get etaSeconds(): number | undefined {
    const done = this.all.files - this.left.files;
    if (done === 0) return this.left.files === 0 ? 0 : undefined;
    // By files for small ones and by bytes for large ones: whichever is further behind.
    const behind = Math.max(this.left.files / this.all.files, this.all.bytes === 0 ? 0 : this.left.bytes / this.all.bytes);
    return Math.ceil(((this.now() - this.began) / 1000) * (behind / (1 - behind)));
  }

  done(bytes: number): void {
    this.left = { files: Math.max(0, this.left.files - 1), bytes: Math.max(0, this.left.bytes - bytes) };
  }
}
