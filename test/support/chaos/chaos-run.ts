import { appendFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../client.ts';
import { Checker } from '../crash/checker.ts';
import { drain } from '../crash/drain.ts';
import { Journal } from '../crash/journal.ts';
import { Random } from '../crash/random.ts';
import { Findings, type Violation } from '../crash/violation.ts';
import { Workload } from '../crash/workload.ts';
import type { ChaosTarget, Deed, DeedKind } from './chaos-target.ts';
import { Nemesis } from './nemesis.ts';
import { RegisterWorkload } from './register-workload.ts';
import { storyOf } from './story.ts';

const KiB = 1024;
/** Time after which a client gives up: less than most deeds last, so that some questions stay without an answer. */
const ANSWER_MS_MAX = 3000;
const ATTEMPTS = 10;
const COPIES_SAMPLE = 20;
const STORIES_MAX = 5;
/** Time in which what was still under way comes to its end when nothing is wrong any more. */
const QUIET_MS = 1500;
/** Time in which deeds of the kinds that are asked for must have been done. */
const KINDS_MS_MAX = 60_000;
/** Time in which a change must be acknowledged with as many nodes struck as may be. */
const STALL_MS_MAX = 60_000;

export interface ChaosOptions {
  readonly seed: number;
  /** No round but the first is begun later. */
  readonly msMax: number;
  /** Time under load and deeds in a round, at the most. */
  readonly loadMsMax: number;
  /** The load goes on beyond that until the nemesis has done deeds of so many kinds: a busy machine takes long for each. */
  readonly kindsMin?: number;
  /** Where all lies. Removed if all was well. */
  readonly directory: string;
  readonly start: (parts: { readonly random: Random; readonly directory: string }) => Promise<ChaosTarget>;
  /** How the nodes are struck that are away while everything is checked; else as drawn. */
  readonly strike?: readonly Deed[];
  readonly strikeKinds: readonly DeedKind[];
  /** Time for which the load goes on while those nodes are away, at the most; longer if no change is acknowledged. */
  readonly strikeMsMax?: number;
  /** In the end all is deleted, and no more may stay on a node than a pack of this size; else that is not looked at. */
  readonly packBytesMax?: number;
  readonly clients?: number;
  readonly holdMsMax?: number;
  readonly gapMsMax?: number;
  readonly say?: (line: string) => void;
}

export interface ChaosOutcome {
  readonly violations: readonly Violation[];
  /** Of the first violations: the history of the file. */
  readonly stories: readonly (readonly string[])[];
  readonly rounds: number;
  readonly acknowledged: number;
  /** Changes that were acknowledged while as many nodes as may be were away. */
  readonly underStrike: number;
  readonly unanswered: number;
  readonly refused: number;
  readonly checked: number;
  /** Operations on registers that were put in an order. */
  readonly ordered: number;
  readonly deeds: ReadonlyMap<DeedKind, number>;
  readonly directory: string;
}

/** A store under load to which a nemesis does harm, round after round, held against all that its clients know. */
export class ChaosRun {
  private readonly options: ChaosOptions;
  private readonly random: Random;
  private readonly target: ChaosTarget;
  private readonly journal = new Journal();
  private readonly findings: Findings;
  private readonly nemesis: Nemesis;
  private readonly registers: RegisterWorkload;
  private readonly sums = { rounds: 0, acknowledged: 0, underStrike: 0, unanswered: 0, refused: 0, checked: 0, ordered: 0 };

  private constructor(options: ChaosOptions, random: Random, target: ChaosTarget) {
    this.options = options;
    this.random = random;
    this.target = target;
    this.findings = new Findings(join(options.directory, 'journal.jsonl'));
    const { holdMsMax = 4000, gapMsMax = 1500, say = () => undefined } = options;
    const { findings } = this;
    this.nemesis = new Nemesis({ target, random: random.fork(), findings, say, holdMsMax, gapMsMax });
    this.registers = new RegisterWorkload(
      this.withUrl({
        random: random.fork(),
        findings,
        shape: { registers: 2, writers: 2, readers: 2, answerMsMax: ANSWER_MS_MAX },
      }),
    );
  }

  static async run(options: ChaosOptions): Promise<ChaosOutcome> {
    await mkdir(options.directory, { recursive: true });
    const directory = await mkdtemp(join(options.directory, 'dcloud-chaos-'));
    const random = new Random(options.seed);
    const target = await options.start({ random: random.fork(), directory }).catch(async (error: unknown) => {
      await rm(directory, { recursive: true, force: true });
      throw error;
    });
    const run = new ChaosRun({ ...options, directory }, random, target);
    try {
      await run.rounds();
    } catch (error) {
      run.findings.report('failed-process', String((error as Error).stack));
    } finally {
      run.findings.flush();
      await appendFile(join(directory, 'server.log'), target.takeLogs());
      await target.remove();
    }
    const outcome = await run.outcome();
    if (outcome.violations.length === 0) await rm(directory, { recursive: true });
    return outcome;
  }

  private async outcome(): Promise<ChaosOutcome> {
    const { violations } = this.findings;
    const { directory } = this.options;
    const log = join(directory, 'journal.jsonl');
    const stories = await Promise.all(violations.slice(0, STORIES_MAX).map((violation) => storyOf(violation, log)));
    return { violations, stories, ...this.sums, deeds: this.nemesis.counts, directory };
  }

  private async rounds(): Promise<void> {
    await this.target.untilWhole();
    await this.registers.create();
    const end = Date.now() + this.options.msMax;
    do await this.round();
    while (Date.now() < end && this.isSound());
    const { packBytesMax } = this.options;
    if (packBytesMax === undefined || !this.isSound()) return;
    const url = this.random.pick(await this.answering());
    await drain({ url, folders: this.target.folders(), packBytesMax }, this.findings);
  }

  private isSound(): boolean {
    this.findings.flush();
    return this.findings.violations.length === 0;
  }

  private async round(): Promise<void> {
    const before = { ...this.sums };
    this.sums.rounds += 1;
    this.findings.note('round', { number: this.sums.rounds });
    const load = this.workload();
    load.requests.tolerate('faults');
    const running = Promise.all([load.run(), this.registers.run()]);
    await this.disturb();
    await this.nemesis.strike(this.options.strike ?? this.nemesis.drawStrike(this.options.strikeKinds));
    await this.watchStrike(load);
    load.stop('faults');
    this.registers.stop();
    await running;
    this.count(load, before);
    // That the files are there with all nodes is not what was promised: they must be there without those that are struck.
    await this.check({ isFinal: false });
    await this.nemesis.heal();
    await this.target.untilWhole();
    await sleep(QUIET_MS);
    await this.check({ isFinal: true });
    await appendFile(join(this.options.directory, 'server.log'), this.target.takeLogs());
    const { acknowledged, unanswered, refused, checked } = this.sums;
    this.options.say?.(
      `round ${this.sums.rounds}: ${acknowledged - before.acknowledged} changes acknowledged, ${refused - before.refused} refused, ` +
        `${unanswered - before.unanswered} without an answer, ${checked - before.checked} files checked`,
    );
  }

  private async disturb(): Promise<void> {
    const { loadMsMax, kindsMin = 0 } = this.options;
    const calm = new AbortController();
    const disturbed = this.nemesis.disturb(calm.signal);
    await sleep(this.random.between(loadMsMax / 2, loadMsMax));
    for (const end = Date.now() + KINDS_MS_MAX; this.nemesis.counts.size < kindsMin && Date.now() < end;) await sleep(100);
    calm.abort();
    await disturbed;
  }

  private workload(): Workload {
    const { journal, findings } = this;
    const shape = { clients: this.options.clients ?? 6, filesMax: 120, largeBytesMax: 500 * KiB, restMs: 100 };
    return new Workload(this.withUrl({ journal, findings, random: this.random.fork(), shape, answerMsMax: ANSWER_MS_MAX }));
  }

  /** Parts of a workload with the address of another process each time. */
  private withUrl<Parts extends { readonly random: Random }>(parts: Parts): Parts & { readonly url: string } {
    const { target } = this;
    const random = parts.random.fork();
    return Object.defineProperty(parts, 'url', { get: () => random.pick(target.urls()) }) as Parts & { readonly url: string };
  }

  /** With the nodes away that may be away, changes must go on if there are enough of the others. */
  private async watchStrike({ requests }: Workload): Promise<void> {
    const { nodes, redundancy } = this.target;
    const { acknowledged } = requests;
    await sleep(this.random.between(500, this.options.strikeMsMax ?? 3000));
    const deadline = Date.now() + STALL_MS_MAX;
    while (requests.acknowledged === acknowledged && nodes - redundancy > redundancy && this.isSound()) {
      if (Date.now() > deadline)
        this.findings.report('stalled', `no change acknowledged with ${redundancy} of ${nodes} nodes away`);
      await sleep(100);
    }
    this.sums.underStrike += requests.acknowledged - acknowledged;
  }

  private count({ requests }: Workload, before: { readonly acknowledged: number }): void {
    this.sums.acknowledged = before.acknowledged + requests.acknowledged;
    this.sums.refused += requests.refused;
    this.sums.unanswered += this.journal.uncertain;
  }

  private async check({ isFinal }: { readonly isFinal: boolean }): Promise<void> {
    if (!this.isSound()) return;
    const { journal, findings, registers } = this;
    const client = new Client(this.random.pick(await this.answering()));
    const options = { attempts: ATTEMPTS, isFinal, others: new Set(registers.ids) };
    const checker = new Checker(client, journal, findings, options);
    this.sums.checked += await checker.check();
    if (!this.isSound()) return;
    if (!isFinal) {
      await registers.probe();
      return;
    }
    this.sums.ordered += await registers.check();
    const files = [...journal.files];
    const sample = new Set(Array.from({ length: Math.min(COPIES_SAMPLE, files.length) }, () => this.random.pick(files)));
    await checker.checkCopies([...sample], this.target.redundancy);
  }

  /** The addresses at which somebody answers who can: a gateway that is cut off from all others may still have the index for a moment. */
  private async answering(): Promise<readonly string[]> {
    const urls = this.target.urlsWithout(this.nemesis.away);
    for (let left = ATTEMPTS; left > 0; left -= 1) {
      const asked = urls.map(async (url) => {
        const signal = AbortSignal.timeout(ANSWER_MS_MAX);
        const { status } = await fetch(`${url}/files/list?limit=1`, { signal }).catch(() => ({ status: 0 }));
        return status === 200 ? [url] : [];
      });
      const found = (await Promise.all(asked)).flat();
      if (found.length > 0) return found;
      await sleep(500);
    }
    throw new Error('nobody answers, with no more wrong than may be');
  }
}
