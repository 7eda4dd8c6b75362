/** Runs a check for many at once: whoever asks is answered by one that began after that. */
export class SharedCheck {
  private running: Promise<void> | undefined;
  private next: Promise<void> | undefined;

  constructor(private readonly check: () => Promise<void>) {}

  run(): Promise<void> {
    if (this.running === undefined) return this.start();
    this.next ??= this.running
      .catch(() => undefined)
      .then(() => {
        this.next = undefined;
        return this.start();
      });
    return this.next;
  }

  private start(): Promise<void> {
    this.running = this.check().finally(() => (this.running = undefined));
    return this.running;
  }
}
