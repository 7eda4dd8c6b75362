import type { Drive, Entry } from '../../sdk/drive-api.js';
import { CliError } from './cli-error.js';
import type { CommonFlags, Context } from './context.js';
import { commonExit, failureOf, isFatal, type Failure } from './failure.js';
import { entryJson, localTime } from './ls.command.js';
import { childPath, entriesOf, isWrittenAsFolder, nameOf, parentPath, remotePath, statIfAny } from './remote-path.js';
import { about } from './subject-error.js';
import { aligned, humanSize } from './visible.js';

/** `dcloud mkdir` */
export async function makeFolders(
  context: Context,
  paths: readonly string[],
  flags: CommonFlags & { readonly parents?: boolean },
): Promise<void> {
  const drive = await context.drive();
  await each(context, paths, async (text) => {
    const path = remotePath(text);
    const entry = await drive.mkdir(path, { parents: flags.parents === true, signal: context.signal });
    context.output.json(entryJson(path, entry));
  });
}

/** `dcloud rm` */
export async function remove(
  context: Context,
  paths: readonly string[],
  flags: CommonFlags & { readonly recursive?: boolean },
): Promise<void> {
  const drive = await context.drive();
  await each(context, paths, async (text) => {
    for (const { path, entry } of await entriesOf(drive, [text], context.signal)) {
      if (entry.kind === 'folder' && flags.recursive !== true)
        throw new CliError('usage', `${path} is a folder: -r removes it with everything in it`);
      await drive.remove(path, { signal: context.signal });
      context.output.json({ path, state: 'removed' });
    }
  });
}

/** `dcloud mv`: as `mv` does it, into a folder that is there, else under another name. */
export async function move(context: Context, places: readonly string[]): Promise<void> {
  const { signal } = context;
  const drive = await context.drive();
  const target = places.at(-1) as string;
  const sources = await entriesOf(drive, places.slice(0, -1), signal);
  const path = remotePath(target);
  const there = await statIfAny(drive, path, signal);
  if (there?.kind !== 'folder' && (sources.length > 1 || isWrittenAsFolder(target)))
    throw new CliError(there === undefined ? 'not-found' : 'conflict', `${path}: there is no such folder`);
  await each(context, sources, async (source) => {
    const to = there?.kind === 'folder' ? childPath(path, nameOf(source.path)) : path;
    if (there?.kind === 'file') throw new CliError('conflict', `${path}: there is something of this name already`);
    context.output.json(entryJson(to, await moveTo(drive, source.path, to, signal)));
  });
}

/** Two steps where both the folder and the name are others; what one of them would run into is looked at before. */
async function moveTo(drive: Drive, from: string, to: string, signal: AbortSignal): Promise<Entry> {
  const [oldFolder, folder] = [parentPath(from), parentPath(to)];
  const [oldName, name] = [nameOf(from), nameOf(to)];
  if (oldFolder === folder) return drive.rename(from, name, { signal });
  if (oldName === name) return drive.move(from, folder, { signal });
  const isFree = (await statIfAny(drive, childPath(folder, oldName), signal)) === undefined;
  if (isFree) {
    await drive.move(from, folder, { signal });
    return drive.rename(childPath(folder, oldName), name, { signal });
  }
  await drive.rename(from, name, { signal });
  return drive.move(childPath(oldFolder, name), folder, { signal });
}

/** `dcloud history` */
export async function history(context: Context, text: string): Promise<void> {
  const { output, signal } = context;
  const drive = await context.drive();
  const rows: string[][] = [];
  await about(text, async () => {
    for await (const revision of drive.history(remotePath(text), { signal })) {
      output.json(revision);
      const { size, createdAt, writer } = revision;
      rows.push([String(revision.revision).padStart(4), humanSize(size).padStart(8), localTime(createdAt), writer]);
    }
  });
  output.print(aligned(rows));
}

/** `dcloud restore` */
export async function restore(context: Context, text: string, revision: number): Promise<void> {
  const path = remotePath(text);
  const drive = await context.drive();
  const entry = await about(text, () => drive.restore(path, revision, { signal: context.signal }));
  context.output.json(entryJson(path, entry));
  context.output.note(`${path} is again as it was in revision ${revision}; that is revision ${entry.revision} now`);
}

/** One after the other; what fails is told, and the others are done. */
async function each<Item extends string | { readonly path: string }>(
  context: Context,
  items: readonly Item[],
  action: (item: Item) => Promise<void>,
): Promise<void> {
  const failures: Failure[] = [];
  for (const item of items) {
    context.signal.throwIfAborted();
    try {
      await action(item);
    } catch (error) {
      const failure = failureOf(error);
      if (isFatal(failure) || context.signal.aborted) throw error;
      failures.push(failure);
      const subject = typeof item === 'string' ? item : item.path;
      context.output.fail(failure, failure.message.startsWith(subject) ? failure.subject : subject);
    }
  }
  if (failures.length > 0) context.endWith(commonExit(failures));
}
