import { resolve } from 'node:path';
import type { Drive, Entry } from '../../sdk/drive-api.js';
import { SdkError } from '../../sdk/errors.js';
import { NodeFileSource } from '../../sdk/node-file-source.js';
import { sourceOfStream } from '../../sdk/source.js';
import { CliError } from './cli-error.js';
import type { CommonFlags, Context } from './context.js';
import { failureOf } from './failure.js';
import { JobMemory } from './job-memory.js';
import { expandLocal, localName, walkLocal, type LocalItem } from './local-walk.js';
import { putTargets } from './put-target.js';
import { RemoteFolders } from './remote-folders.js';
import { childPath, isWrittenAsFolder, nameOf, parentPath, remotePath, statIfAny } from './remote-path.js';
import { transferAll, type TransferState, type TransferSummary, type TransferWork } from './transfer.js';
import { TransferProgress } from './transfer-progress.js';
import { humanSize } from './visible.js';

export interface PutFlags extends CommonFlags {
  readonly recursive?: boolean;
  readonly follow?: boolean;
  readonly replace?: boolean;
  readonly update?: boolean;
  readonly parents?: boolean;
  /** Of what comes from standard input. */
  readonly name?: string;
}

interface PutFile {
  readonly item: LocalItem;
  readonly subject: string;
  readonly size: number;
  readonly folder: string;
  readonly name: string;
}

const STDIN = '-';

/** `dcloud put` @param places what is stored, and at the end where to */
export async function put(context: Context, places: readonly string[], flags: PutFlags): Promise<void> {
  const target = places.at(-1) as string;
  const sources = places.slice(0, -1);
  if (sources.length === 0) throw new CliError('usage', 'say what to store and where to: dcloud put FILE… /FOLDER/');
  if (sources.includes(STDIN)) await putStdin(context, sources, target, flags);
  else await new Putting(context, flags).run(sources, target);
}

async function putStdin(context: Context, sources: readonly string[], target: string, flags: PutFlags): Promise<void> {
  if (sources.length > 1) throw new CliError('usage', '- stands for standard input, and nothing else can be stored with it');
  const drive = await context.drive();
  const isNamed = flags.name !== undefined;
  const { signal } = context;
  if (!isNamed && isWrittenAsFolder(target)) throw new CliError('usage', 'standard input has no name: give it one by --name');
  const place = { target: isNamed && !isWrittenAsFolder(target) ? `${target}/` : target, isMade: flags.parents === true };
  const [path = target] = await putTargets(drive, [flags.name ?? ''], place, signal);
  if (nameOf(path) === '')
    throw new CliError('usage', `${target} is a folder, and standard input has no name: give it one by --name`);
  const progress = new TransferProgress(context.output, { files: 1, bytes: undefined });
  const { onProgress } = progress.file(undefined);
  try {
    const source = sourceOfStream(process.stdin);
    tellEntry(context, await drive.upload(path, source, { replace: flags.replace === true, onProgress, signal }), 'stored');
  } finally {
    progress.stop();
  }
}

function tellEntry({ output }: Context, { path, size, revision }: Entry, state: string): void {
  output.json({ path, state, size, revision });
}

/** Storing local files and folders. */
class Putting {
  private skipped = 0;

  constructor(
    private readonly context: Context,
    private readonly flags: PutFlags,
  ) {}

  async run(given: readonly string[], target: string): Promise<void> {
    const { context, flags } = this;
    const sources = await expandLocal(given);
    const items = await Array.fromAsync(walkLocal(sources, this.walkOptions()));
    const drive = await context.drive();
    const words = ['put', process.cwd(), drive.account.id, target, ...sources.map((source) => resolve(source))];
    const job = await JobMemory.of(context.profile.jobs, words, Date.now());
    const place = { target, isMade: flags.parents === true };
    const targets = job.begun ?? (await putTargets(drive, sources.map(localName), place, context.signal));
    const planned = this.plan(items, targets);
    await job.begin(targets, Date.now());
    context.onInterrupt('what was stored so far stays; the same command again goes on with the rest');

    const folders = new RemoteFolders(drive, context.signal);
    await this.makeFolders(items, targets, folders);
    const store = new Storing({ drive, folders, flags, context, isResumed: job.begun !== undefined });
    const summary = await transferAll(context, planned, (file, work) => store.file(file, work));
    if (summary.isComplete) await job.end();
    this.tell(summary);
  }

  private walkOptions(): Parameters<typeof walkLocal>[1] {
    const { recursive, follow } = this.flags;
    return {
      isRecursive: recursive === true,
      isFollowing: follow === true,
      onSkip: (path, reason) => {
        this.skipped += 1;
        this.context.output.warn(`${path} is left out: ${reason}`);
      },
    };
  }

  /** @throws CliError if two would have one name */
  private plan(items: readonly LocalItem[], targets: readonly string[]): PutFile[] {
    const sources = new Map<string, string>();
    const files: PutFile[] = [];
    for (const item of items) {
      const path = placeOf(item, targets);
      const key = path.normalize('NFC');
      const other = sources.get(key);
      if (other !== undefined)
        throw new CliError('conflict', `${other} and ${item.path} would have the same name, ${path}: nothing was stored`);
      sources.set(key, item.path);
      if (item.kind === 'file') {
        files.push({ item, subject: item.path, size: item.size, folder: parentPath(path), name: nameOf(path) });
      }
    }
    return files;
  }

  /** Level by level would be faster in a broad tree; most have few folders for their files. */
  private async makeFolders(items: readonly LocalItem[], targets: readonly string[], folders: RemoteFolders): Promise<void> {
    const paths = items.filter(({ kind }) => kind === 'folder').map((item) => placeOf(item, targets));
    // All at once: each waits for the one above it, and the transport bounds what is under way.
    const made = await Promise.allSettled(paths.map((path) => folders.ensure(path)));
    for (const [at, outcome] of made.entries()) {
      if (outcome.status === 'fulfilled') continue;
      const failure = failureOf(outcome.reason);
      this.context.signal.throwIfAborted();
      this.context.output.fail(failure, paths[at]);
      throw new CliError(failure.exit, `${String(paths[at])} could not be made: nothing was stored in it`, {
        cause: outcome.reason,
      });
    }
  }

  private tell({ doneFiles, doneBytes, skippedFiles }: TransferSummary): void {
    const skipped = skippedFiles === 0 ? '' : `, ${skippedFiles} were there already`;
    const left = this.skipped === 0 ? '' : `, ${this.skipped} left out`;
    this.context.output.note(
      `${doneFiles} ${doneFiles === 1 ? 'file' : 'files'} stored (${humanSize(doneBytes)})${skipped}${left}`,
    );
  }
}

function placeOf({ root, names }: LocalItem, targets: readonly string[]): string {
  return names.reduce(childPath, targets[root] as string);
}

interface StoringParts {
  readonly drive: Drive;
  readonly folders: RemoteFolders;
  readonly flags: PutFlags;
  readonly context: Context;
  /** The command was begun before: what is there as it is here was stored by it. */
  readonly isResumed: boolean;
}

class Storing {
  constructor(private readonly parts: StoringParts) {}

  async file({ item, folder, name }: PutFile, { onProgress, signal }: TransferWork): Promise<TransferState> {
    const { drive, flags, context } = this.parts;
    const path = childPath(folder, name);
    const found = await this.known(folder, name);
    if (found !== undefined && this.isDone(found, item)) {
      tellEntry(context, found, 'unchanged');
      return 'skipped';
    }
    const isReplacing = flags.replace === true || flags.update === true;
    if (found !== undefined && !isReplacing) throw new SdkError('exists');
    const source = await NodeFileSource.open(item.path);
    try {
      const resume = context.profile.uploads;
      const entry = await drive.upload(path, source, { replace: isReplacing, resume, onProgress, signal });
      tellEntry(context, entry, found === undefined ? 'stored' : 'replaced');
    } finally {
      await source.close();
    }
    return 'done';
  }

  /** Not asked for where the upload itself finds out. */
  private async known(folder: string, name: string): Promise<Entry | undefined> {
    const { folders, flags, isResumed } = this.parts;
    if (folders.has(folder)) return folders.find(folder, name);
    const isWanted = flags.update === true || flags.replace === true || isResumed;
    return isWanted ? statIfAny(this.parts.drive, remotePath(childPath(folder, name)), this.parts.context.signal) : undefined;
  }

  private isDone({ kind, size, changedAt }: Entry, item: LocalItem): boolean {
    if (this.parts.flags.update !== true && !this.parts.isResumed) return false;
    return kind === 'file' && size === item.size && changedAt.getTime() === item.modifiedAtMs;
  }
}
