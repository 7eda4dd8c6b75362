import { resolve } from 'node:path';
import { stat } from 'node:fs/promises';
import { errorCode } from '../../common/errors.js';
import type { Entry } from '../../sdk/drive-api.js';
import { CliError } from './cli-error.js';
import type { CommonFlags, Context } from './context.js';
import { parseRange, resolveRange } from './get-range.js';
import type { LocalState } from './local-folder.js';
import { JobMemory } from './job-memory.js';
import { GetPlan, type GetFile } from './get-plan.js';
import { entriesOf, type Located, type Reader } from './remote-path.js';
import { about } from './subject-error.js';
import { transferAll, type TransferState, type TransferWork } from './transfer.js';
import { TransferProgress } from './transfer-progress.js';
import { humanSize } from './visible.js';
import { writeToStdout } from './write-result.js';

export interface GetFlags extends CommonFlags {
  readonly recursive?: boolean;
  readonly replace?: boolean;
  readonly update?: boolean;
  readonly range?: string;
  readonly revision?: number;
}

const STDOUT = '-';

/** `dcloud get` @param places what is fetched, and at the end where to; of one alone: here */
export async function get(context: Context, places: readonly string[], flags: GetFlags): Promise<void> {
  const sources = places.length === 1 ? places : places.slice(0, -1);
  const target = places.length === 1 ? '.' : (places.at(-1) as string);
  const drive = await context.drive();
  const found = await entriesOf(drive, sources, context.signal);
  const words = ['get', process.cwd(), drive.account.id, target, ...sources];
  await fetchAll(context, drive, { found, target, flags, words });
}

export interface Fetching {
  readonly found: readonly Located[];
  /** A local place, or `-`. */
  readonly target: string;
  readonly flags: GetFlags;
  /** What makes it the same command when it is run again. */
  readonly words: readonly string[];
}

/** Fetches from a drive or a link. */
export async function fetchAll(context: Context, reader: Reader, { found, target, flags, words }: Fetching): Promise<void> {
  const file = found.length === 1 ? found.find(({ entry }) => entry.kind === 'file') : undefined;
  const isForOne = flags.range !== undefined || flags.revision !== undefined || target === STDOUT;
  if (isForOne && file === undefined) throw new CliError('usage', 'a range, a revision and standard output are for one file');
  if (target === STDOUT && file !== undefined) await fetchToStdout(context, reader, file, flags);
  else await new Getting({ context, reader, flags }).run(found, target, words);
}

async function fetchToStdout(context: Context, reader: Reader, { path, entry }: Located, flags: GetFlags): Promise<void> {
  const { signal, output } = context;
  const range = rangeOf(flags, entry);
  const progress = new TransferProgress(output, { files: 1, bytes: range.size });
  const file = progress.file(range.size);
  try {
    const options = { ...range.options, onProgress: file.onProgress, signal };
    const { body } = await about(path, () => reader.download(path, options));
    await writeToStdout(body, signal);
  } finally {
    progress.stop();
  }
}

interface WantedRange {
  readonly options: { readonly from?: number; readonly to?: number; readonly revision?: number };
  /** Undefined of an older revision, whose size nobody knows yet. */
  readonly size: number | undefined;
}

function rangeOf({ range, revision }: GetFlags, { size }: Entry): WantedRange {
  const ofRevision = revision === undefined ? {} : { revision };
  if (range === undefined) return { options: ofRevision, size: revision === undefined ? size : undefined };
  const written = parseRange(range);
  if (revision === undefined) {
    const bounds = resolveRange(written, size);
    return { options: bounds, size: bounds.to - bounds.from };
  }
  const { first, last } = written;
  if (first === undefined) throw new CliError('usage', 'of an older revision a range begins with a number');
  return { options: { ...ofRevision, from: first, ...(last !== undefined && { to: last + 1 }) }, size: undefined };
}

interface GettingParts {
  readonly context: Context;
  readonly reader: Reader;
  readonly flags: GetFlags;
}

/** Fetching files and folders to this disk. */
class Getting {
  private isResumed = false;

  constructor(private readonly parts: GettingParts) {}

  async run(found: readonly Located[], target: string, words: readonly string[]): Promise<void> {
    const { context, reader, flags } = this.parts;
    const { output, profile, signal } = context;
    const job = await JobMemory.of(profile.jobs, words, Date.now());
    this.isResumed = job.begun !== undefined;
    const isInto = job.begun === undefined ? await isFolder(target, found.length) : job.begun[0] === 'into';
    await job.begin([isInto ? 'into' : 'as', resolve(target)], Date.now());
    context.onInterrupt('what was fetched so far stays; the same command again goes on with the rest');
    const plan = new GetPlan({ reader, output, isRecursive: flags.recursive === true }, signal);
    await plan.add(found, { target, isInto });
    const { doneFiles, doneBytes, skippedFiles, isComplete } = await transferAll(context, plan.files, (file, work) =>
      this.file(file, work),
    );
    if (plan.failures > 0) context.endWith('conflict');
    if (isComplete) await job.end();
    const skipped = skippedFiles === 0 ? '' : `, ${skippedFiles} were there already`;
    output.note(`${doneFiles} ${doneFiles === 1 ? 'file' : 'files'} fetched (${humanSize(doneBytes)})${skipped}`);
  }

  private async file({ located, folder, name, isAlone }: GetFile, { onProgress, signal }: TransferWork): Promise<TransferState> {
    const { reader, flags, context } = this.parts;
    const { path, entry } = located;
    const there = await folder.find(name);
    if (there !== undefined && this.isDone(there, entry)) {
      context.output.json({ path, state: 'unchanged', size: entry.size, name });
      return 'skipped';
    }
    const isReplacing = flags.replace === true || flags.update === true;
    if (there !== undefined && !isReplacing)
      throw new CliError('conflict', `there is a local file of this name already: ${name}`);
    const { options } = rangeOf(flags, entry);
    const download = await reader.download(path, { ...options, onProgress, signal });
    const { body, size } = download;
    await folder.write(name, { body, modifiedAt: download.entry.changedAt, isReplacing: isReplacing && isAlone });
    context.output.json({ path, state: there === undefined ? 'fetched' : 'replaced', size, name });
    return 'done';
  }

  /** Of what is meant to be as it is in the drive, and is. */
  private isDone({ isFile, size, modifiedAtMs }: LocalState, entry: Entry): boolean {
    const { flags } = this.parts;
    if (flags.update !== true && !this.isResumed) return false;
    const isWhole = flags.revision === undefined && flags.range === undefined;
    return isWhole && isFile && size === entry.size && modifiedAtMs === entry.changedAt.getTime();
  }
}

/** As `cp` takes it: into a folder that is there, or if it is written as one, or for several. @throws CliError if that is none */
async function isFolder(target: string, sources: number): Promise<boolean> {
  const isNeeded = sources > 1 || target.endsWith('/');
  try {
    if ((await stat(target)).isDirectory()) return true;
    if (isNeeded) throw new CliError('conflict', `${target} is no folder`);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' || isNeeded) throw error;
  }
  return false;
}
