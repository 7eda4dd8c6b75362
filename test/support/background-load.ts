import { expect } from '@jest/globals';
import { Client } from './client.js';
import { Checker } from './crash/checker.js';
import { bytesOf, Journal, makeContent } from './crash/journal.js';
import { Random } from './crash/random.js';
import type { Requests, Tolerance } from './crash/requests.js';
import { Findings } from './crash/violation.js';
import { Workload } from './crash/workload.js';

const SHAPE = { clients: 8, filesMax: 120, largeBytesMax: 1024 * 1024 };

/** Clients that work while a test does something to the disks. Every answer that is wrong, and every request that fails, is a finding. */
export class BackgroundLoad {
  readonly journal = new Journal();
  readonly findings = new Findings();
  private load: Workload | undefined;
  private running: Promise<void> = Promise.resolve();
  private readonly random: Random;

  constructor(
    seed: number,
    private readonly shape: Partial<typeof SHAPE> = {},
  ) {
    this.random = new Random(seed);
  }

  start(url: string, tolerance: Tolerance = 'nothing'): void {
    const { journal, findings } = this;
    this.load = new Workload({ url, journal, findings, random: this.random.fork(), shape: { ...SHAPE, ...this.shape } });
    this.load.requests.tolerate(tolerance);
    this.running = this.load.run();
  }

  /** No new requests. With `errors`, those under way may end in any way: the server loses what it needs. */
  end(tolerance: Tolerance): void {
    this.load?.stop(tolerance);
  }

  /** Resolves when the last request is answered. */
  async stop(tolerance: Tolerance = 'nothing'): Promise<Pick<Requests, 'acknowledged' | 'refused' | 'broken'>> {
    this.end(tolerance);
    await this.running;
    return this.load!.requests;
  }

  /** One more small file, beside the load. */
  async put(url: string, content: number): Promise<void> {
    const state = { name: `put ${content}`, contentType: 'a/b', content: makeContent(content, 2000) };
    const { file, step } = this.journal.create(state);
    file.id = (await new Client(url).put(state.name, bytesOf(state.content), { 'content-type': 'a/b' })).id;
    this.journal.answer(file, step, 'done');
  }

  /** Holds the store against the journal; fails the test with all that was found up to now. */
  async check(url: string): Promise<void> {
    await new Checker(new Client(url), this.journal, this.findings).check();
    expect(this.findings.violations).toEqual([]);
  }

  async checkCopies(url: string, survives: number): Promise<void> {
    const checker = new Checker(new Client(url), this.journal, this.findings);
    await checker.checkCopies([...this.journal.files], survives);
    expect(this.findings.violations).toEqual([]);
  }
}
