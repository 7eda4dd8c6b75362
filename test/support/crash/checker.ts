import { setTimeout as sleep } from 'node:timers/promises';
import { mapOrdered } from '../../../src/common/map-ordered.ts';
import { Client, type FileJson } from '../client.ts';
import { judge, see, type Seen } from './judge.ts';
import type { FileState, Journal, JournalFile } from './journal.ts';
import type { Findings } from './violation.ts';

/** Files that are read at once. */
const WIDTH = 8;
/** Deleted files that are asked for by their address. */
const GONE_SAMPLE = 50;
/** Pause before a question is asked again. */
const PAUSE_MS = 500;
/** Time in which repair has looked at what was in doubt. */
const COPIES_MS_MAX = 20_000;

export interface CheckOptions {
  /** How often a question is asked that is answered with an error, or not at all. */
  readonly attempts?: number;
  /** False: something may still be under way, so what is uncertain stays uncertain. */
  readonly isFinal?: boolean;
  /** Ids of files that are not the journal's. */
  readonly others?: ReadonlySet<string>;
}

/**
 * Holds a store against the journal, with nobody working on it. Every difference is reported; afterwards each file of the journal is
 * settled in the state that was seen, if it is a right one, since nothing is under way any more that could change it.
 */
export class Checker {
  private readonly client: Client;
  private readonly journal: Journal;
  private readonly findings: Findings;
  private readonly options: Required<CheckOptions>;

  constructor(client: Client, journal: Journal, findings: Findings, options: CheckOptions = {}) {
    this.client = client;
    this.journal = journal;
    this.findings = findings;
    this.options = { attempts: 1, isFinal: true, others: new Set(), ...options };
  }

  /** Checks everything; resolves with the number of files that were read. */
  async check(): Promise<number> {
    const records = await this.assign((await this.listAll()).filter(({ id }) => !this.options.others.has(id)));
    const files = [...this.journal.files];
    await Array.fromAsync(mapOrdered(files, WIDTH, (file) => this.checkFile(file, records.get(file))));
    await Array.fromAsync(mapOrdered([...this.journal.gone].slice(-GONE_SAMPLE), WIDTH, (id) => this.checkGone(id)));
    return records.size;
  }

  private async listAll(): Promise<readonly FileJson[]> {
    for (let left = this.options.attempts; left > 1; left -= 1) {
      const listed = await this.client.listAll().catch(() => undefined);
      if (listed !== undefined) return listed;
      await sleep(PAUSE_MS);
    }
    return this.client.listAll();
  }

  private async see(id: string): Promise<Seen> {
    for (let left = this.options.attempts; ; left -= 1) {
      const seen = await see(this.client.url, id);
      // Where one file is unreadable there are more, and to be patient with each would take for ever.
      if (left === 1 || this.findings.violations.length > 0 || (seen.bytes !== undefined && seen.status < 500)) return seen;
      await sleep(PAUSE_MS);
    }
  }

  /**
   * Tells if files have as many copies as they should, all nodes being up: soon, since what a rebuild could not see does not count before repair
   * has looked at it. `info` costs a look at the layout, so only some are asked.
   */
  async checkCopies(files: readonly JournalFile[], survives: number, msMax = COPIES_MS_MAX): Promise<void> {
    const deadline = performance.now() + msMax;
    for (const { id } of files) {
      if (id === undefined) continue;
      let found = await this.survivesOf(id);
      for (; found !== survives && performance.now() < deadline; found = await this.survivesOf(id)) await sleep(PAUSE_MS);
      if (found !== survives) this.findings.report('thin', `${id} survives ${String(found)}, not ${survives}`);
    }
  }

  private async survivesOf(id: string): Promise<number | undefined> {
    const info = (await (await fetch(`${this.client.url}/files/${id}/info`)).json()) as { readonly survives?: number };
    return info.survives;
  }

  /** Which record of the list is which file: by the id, or by the name where the answer with the id never came. */
  private async assign(listed: readonly FileJson[]): Promise<ReadonlyMap<JournalFile, FileJson>> {
    const byId = new Map<string, JournalFile>();
    const byName = new Map<string, JournalFile>();
    for (const file of this.journal.files) {
      if (file.id !== undefined) byId.set(file.id, file);
      else for (const name of namesOf(file, this.journal)) byName.set(name, file);
    }
    const records = new Map<JournalFile, FileJson>();
    const seen = new Set<string>();
    for (const record of listed) {
      const file = byId.get(record.id) ?? byName.get(record.name);
      if (seen.has(record.id)) this.findings.report('listed-twice', describe(record));
      else if (file === undefined) this.reportUnexpected(record);
      else if (records.has(file)) this.findings.report('listed-twice', `${describe(record)}, also with another id`);
      else records.set(file, record);
      seen.add(record.id);
    }
    return records;
  }

  private reportUnexpected(record: FileJson): void {
    const { gone, goneNames } = this.journal;
    const kind = gone.has(record.id) || goneNames.has(record.name) ? 'resurrected' : 'unknown';
    this.findings.report(kind, `${describe(record)} is listed`);
  }

  private async checkFile(file: JournalFile, record: FileJson | undefined): Promise<void> {
    const now = this.journal.tick();
    const states = file.possible(now, now);
    const present = states.filter((state) => state !== null);
    if (record === undefined) {
      if (!states.includes(null)) this.reportLost(file, present);
      else {
        if (file.id !== undefined && this.options.isFinal) await this.checkGone(file.id);
        this.settle(file, null);
      }
    } else if (present.length === 0) this.findings.report('resurrected', `${describe(record)} is listed`);
    else {
      file.id = record.id;
      const state = await this.checkContent(file, record, present);
      if (state !== undefined) this.settle(file, state);
    }
  }

  private settle(file: JournalFile, state: FileState | null): void {
    if (this.options.isFinal) this.journal.settle(file, state);
  }

  private reportLost({ id }: JournalFile, states: readonly FileState[]): void {
    const should = states.map(({ name, content }) => `${name} of ${content.size} bytes`).join(' or ');
    this.findings.report('lost', `${String(id)} is not listed; it should be ${should}`);
  }

  /** The state that the file is in; undefined if it is in none that it may be in, which is reported. */
  private async checkContent(file: JournalFile, record: FileJson, states: readonly FileState[]): Promise<FileState | undefined> {
    const { findings } = this;
    const seen = await this.see(record.id);
    const { bytes } = seen;
    if (seen.status === 404) findings.report('lost', `${describe(record)} is listed, and answers 404`);
    else if (seen.status !== 200 || bytes === undefined) {
      const answer = bytes === undefined ? 'a broken connection' : bytes.toString().slice(0, 500);
      findings.report('unreadable', `${describe(record)} answers ${seen.status}: ${answer}`);
    } else {
      // First by what the list says, so that of two states with the same bytes the right one is taken.
      const named = states.filter(({ name }) => name === record.name);
      const verdict = judge({ ...seen, bytes }, named.length > 0 ? named : states, file.contents);
      if ('kind' in verdict) findings.report(verdict.kind, `${describe(record)}: ${verdict.detail}`);
      // Between the list and the bytes what is under way may have come to pass.
      else if (this.options.isFinal || states.length === 1) return this.checkRecord(record, verdict.state);
    }
    return undefined;
  }

  private checkRecord(record: FileJson, state: FileState): FileState | undefined {
    const { findings } = this;
    const before = findings.violations.length;
    if (record.name !== state.name) findings.report('wrong-name', `${describe(record)} should be named ${state.name}`);
    if (record.contentType !== state.contentType)
      findings.report('wrong-type', `${describe(record)} is ${record.contentType} and should be ${state.contentType}`);
    if (record.size !== state.content.size)
      findings.report('wrong-size', `${describe(record)} says ${record.size} and has ${state.content.size} bytes`);
    return findings.violations.length === before ? state : undefined;
  }

  private async checkGone(id: string): Promise<void> {
    const { status } = await this.see(id);
    if (status !== 404) this.findings.report('resurrected', `${id} answers ${status}, and is not there by right`);
  }
}

function namesOf(file: JournalFile, journal: Journal): readonly string[] {
  const now = journal.tick();
  return file.possible(now, now).flatMap((state) => (state === null ? [] : [state.name]));
}

function describe({ id, name }: FileJson): string {
  return `${id} (${name})`;
}
