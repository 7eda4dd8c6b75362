import { setTimeout as sleep } from 'node:timers/promises';
import { bytesOf, type Content, type FileState, type JournalFile, makeContent } from './journal.ts';
import { kindOfWrongBytes, type Seen, see } from './judge.ts';
import { type RequestParts, Requests, type Tolerance } from './requests.ts';
import type { Random } from './random.ts';

const KiB = 1024;
/** So many, and the load ends by itself. */
const VIOLATIONS_MAX = 50;
const SMALL_BYTES_MAX = 20 * KiB;
/** Sizes at which something may be off by one: of pages, sealed segments, slices. */
const EDGES = [0, 1, 1023, 1024, 4064, 4095, 4096, 16_384, 20 * KiB];
const TYPES = ['application/octet-stream', 'text/plain', 'image/png', 'application/x-crash; v=1'];

const WEIGHTS = { put: 32, putLarge: 6, replace: 18, rename: 10, remove: 14, read: 12, readRange: 4, list: 2, abort: 2 };
type Action = keyof typeof WEIGHTS;

export interface WorkloadShape {
  readonly clients: number;
  /** Files from which on deletions prevail. */
  readonly filesMax: number;
  readonly largeBytesMax: number;
  /** Pause of a client after a connection broke: where that is normal, he would ask nobody all the time. */
  readonly restMs?: number;
}

/** What all the clients of a load share. */
export interface WorkloadParts extends RequestParts {
  readonly random: Random;
  readonly shape: WorkloadShape;
}

interface Range {
  readonly first: number;
  readonly last: number;
}

/** What a download may have met, and the bytes that it asked for, if not for all. */
interface Reading {
  readonly states: readonly (FileState | null)[];
  readonly range: Range | undefined;
}

/** Several clients that put, replace, rename, delete and read side by side until they are told to stop, or the server is gone. */
export class Workload {
  readonly requests: Requests;
  private readonly parts: WorkloadParts;
  private readonly random: Random;
  private isOver = false;
  private serial = 0;

  constructor(parts: WorkloadParts) {
    this.parts = parts;
    this.random = parts.random;
    this.requests = new Requests(parts);
  }

  /** Runs until `stop`; resolves when the last operation is answered. */
  async run(): Promise<void> {
    const client = async (random: Random): Promise<void> => {
      // A server that is not there fails every request at once, and would do so for ever.
      while (!this.isOver && this.parts.findings.violations.length < VIOLATIONS_MAX) {
        const { broken } = this.requests;
        await this.act(random);
        if (this.requests.broken > broken) await sleep(this.parts.shape.restMs ?? 0);
      }
    };
    await Promise.all(Array.from({ length: this.parts.shape.clients }, () => client(this.random.fork())));
  }

  /** No new operations; those under way may end in all the ways that are tolerated. */
  stop(tolerance: Tolerance): void {
    this.isOver = true;
    this.requests.tolerate(tolerance);
  }

  private async act(random: Random): Promise<void> {
    const { journal, shape } = this.parts;
    const isCrowded = journal.files.size > shape.filesMax;
    const action: Action = random.weighted(isCrowded ? { ...WEIGHTS, remove: 80 } : WEIGHTS);
    if (action === 'put') await this.requests.create(this.newState(random, this.smallSize(random)), pace(random));
    else if (action === 'putLarge') await this.requests.create(this.newState(random, this.largeSize(random)), pace(random, true));
    else if (action === 'list') await this.requests.list();
    else if (action === 'read' || action === 'readRange') await this.read(random, action === 'readRange');
    else await this.change(random, action);
  }

  private async change(random: Random, action: 'replace' | 'rename' | 'remove' | 'abort'): Promise<void> {
    const { journal } = this.parts;
    const taken = journal.take((files) => random.pick(files));
    if (taken === undefined) return sleep(1);
    const { file, state } = taken;
    if (action === 'remove') await this.requests.remove(file);
    else if (action === 'rename') await this.requests.update(file, this.renamed(random, state), state);
    else {
      const isLarge = random.chance(0.2);
      const size = isLarge ? this.largeSize(random) : this.smallSize(random);
      const next = { ...this.newState(random, size), name: state.name };
      // A client that sends no type leaves the old one.
      const sent = random.chance(0.5) ? next : { ...next, contentType: state.contentType };
      if (action === 'abort') await this.requests.abort(file, sent);
      else await this.requests.replace(file, sent, { ...pace(random, isLarge), previous: state });
    }
  }

  private renamed(random: Random, state: FileState): FileState {
    const contentType = random.chance(0.3) ? random.pick(TYPES) : state.contentType;
    return { ...state, contentType, name: this.newName(random) };
  }

  /** A download beside whatever else happens to the file: right is any state that it had between question and answer. */
  private async read(random: Random, isRange: boolean): Promise<void> {
    const { journal, url } = this.parts;
    const files = [...journal.files].filter(({ id }) => id !== undefined);
    if (files.length === 0) return sleep(1);
    const file = random.pick(files);
    const from = journal.tick();
    const first = random.below(30_000);
    const range = isRange ? { first, last: first + random.below(30_000) } : undefined;
    const headers: Record<string, string> = range === undefined ? {} : { range: `bytes=${range.first}-${range.last}` };
    const seen = await see(url, file.id ?? '', { headers, msMax: this.requests.answerMsMax });
    this.judgeAnswer(file, seen, { states: file.possible(from, journal.tick()), range });
    return undefined;
  }

  private judgeAnswer(file: JournalFile, { status, bytes }: Seen, { states, range }: Reading): void {
    const present = states.filter((state) => state !== null).map(({ content }) => content);
    const what = `GET ${String(file.id)} under load`;
    if (bytes === undefined) this.requests.reportBreak(`${what} (${status})`);
    else if (status === 503) this.requests.refused += 1;
    else if (status === 200) this.judgeBytes(file, bytes, { present, range: undefined });
    else if (status === 206) this.judgeBytes(file, bytes, { present, range });
    else if (status === 404 && states.includes(null)) return;
    else if (status === 416 && range !== undefined && present.some(({ size }) => size <= range.first)) return;
    else this.requests.reportError(what, status, bytes.toString());
  }

  private judgeBytes(
    file: JournalFile,
    bytes: Buffer,
    { present, range }: { readonly present: readonly Content[]; readonly range: Range | undefined },
  ): void {
    const part = (content: Content): Buffer => bytesOf(content).subarray(range?.first ?? 0, (range?.last ?? content.size) + 1);
    if (present.some((content) => part(content).equals(bytes))) return;
    const allowed = { allowed: present, contents: file.contents };
    const kind = range === undefined ? kindOfWrongBytes(bytes, allowed) : 'wrong-bytes';
    const where = range === undefined ? '' : ` from ${range.first} to ${range.last}`;
    const detail = `GET ${String(file.id)} under load answered ${bytes.length} bytes${where}`;
    this.parts.findings.report(present.length === 0 ? 'resurrected' : kind, detail);
  }

  private newState(random: Random, size: number): FileState {
    const contentType = random.pick(TYPES);
    return { name: this.newName(random), contentType, content: makeContent(random.below(2 ** 32), size) };
  }

  /** A name that nobody has had, so that a file is known by it even if its id never came. */
  private newName(random: Random): string {
    return `${random.pick(['a', 'ö', 'z', '😀', 'dir/'])}-${random.below(2 ** 32).toString(36)}-${(this.serial += 1)}`;
  }

  private smallSize(random: Random): number {
    return random.chance(0.25) ? random.pick(EDGES) : random.below(SMALL_BYTES_MAX + 1);
  }

  private largeSize(random: Random): number {
    return random.between(100 * KiB, this.parts.shape.largeBytesMax);
  }
}

/** Some uploads come in pieces with pauses, so that a kill, or a sweep, finds them half done. */
function pace(random: Random, isLarge = false): { readonly pauseMs: number } {
  const [share, msMax] = isLarge ? [0.6, 250] : [0.3, 40];
  return { pauseMs: random.chance(share) ? random.between(1, msMax) : 0 };
}
