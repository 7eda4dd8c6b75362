/** How many requests of one sender may overtake another of its. */
const WIDTH = 65_536;
const SENDERS_MAX = 1024;
const SENDER_DIGITS = 16;

interface Sender {
  newest: number;
  lastSeenMs: number;
  readonly seen: Uint32Array;
}

/**
 * Which requests have been here before, in bounded memory: a sender numbers its requests, and for each sender there is the highest number
 * and one bit for each of those right below it (the anti-replay window of RFC 4303, section 3.4.3). What lies below the window counts as
 * seen. A sender may be dropped once everything it sent is too old by its time; what was sent to an earlier run of this process names that
 * run, so nothing has to be remembered over a restart.
 */
export class ReplayWindow {
  private readonly senders = new Map<string, Sender>();

  /** @param keepMs how long after it was sent a request can still pass by its time */
  constructor(private readonly keepMs: number) {}

  /** Notes a request that proved itself. False if it was here before, or if it cannot be told. */
  admit(nonce: string, nowMs: number): boolean {
    const number = Number.parseInt(nonce.slice(SENDER_DIGITS), 16);
    if (!Number.isSafeInteger(number)) return false;
    const sender = this.senderOf(nonce.slice(0, SENDER_DIGITS), nowMs);
    if (sender === undefined || number <= sender.newest - WIDTH) return false;
    this.advance(sender, number);
    const [word, bit] = [(number % WIDTH) >>> 5, 1 << (number & 31)];
    if (((sender.seen[word] as number) & bit) !== 0) return false;
    sender.seen[word] = (sender.seen[word] as number) | bit;
    sender.lastSeenMs = nowMs;
    return true;
  }

  /** The places of the numbers between the newest so far and the new one are those of older ones, which leave the window. */
  private advance(sender: Sender, number: number): void {
    if (number <= sender.newest) return;
    if (number - sender.newest >= WIDTH) sender.seen.fill(0);
    else {
      for (let next = sender.newest + 1; next <= number; next += 1) {
        const word = (next % WIDTH) >>> 5;
        sender.seen[word] = (sender.seen[word] as number) & ~(1 << (next & 31));
      }
    }
    sender.newest = number;
  }

  private senderOf(name: string, nowMs: number): Sender | undefined {
    const known = this.senders.get(name);
    if (known !== undefined) return known;
    if (this.senders.size >= SENDERS_MAX) this.dropOld(nowMs);
    if (this.senders.size >= SENDERS_MAX) return undefined;
    const sender = { newest: 0, lastSeenMs: nowMs, seen: new Uint32Array(WIDTH / 32) };
    this.senders.set(name, sender);
    return sender;
  }

  private dropOld(nowMs: number): void {
    for (const [name, { lastSeenMs }] of this.senders) if (lastSeenMs + this.keepMs < nowMs) this.senders.delete(name);
  }
}
