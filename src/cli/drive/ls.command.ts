import type { Entry } from '../../sdk/drive-api.js';
import type { CommonFlags, Context } from './context.js';
import type { Output } from './output.js';
import { compareNames, entriesOf, walkRemote, childPath, type Located, type Reader } from './remote-path.js';
import { aligned, humanSize, padded, widthOf } from './visible.js';

export interface LsFlags extends CommonFlags {
  readonly long?: boolean;
  readonly recursive?: boolean;
  readonly bytes?: boolean;
}

/** `dcloud ls` */
export async function list(context: Context, paths: readonly string[], flags: LsFlags): Promise<void> {
  await listFrom(context, await context.drive(), paths.length === 0 ? ['/'] : paths, flags);
}

/** Of a drive or a link. */
export async function listFrom(context: Context, reader: Reader, paths: readonly string[], flags: LsFlags): Promise<void> {
  const { output, signal } = context;
  const found = await entriesOf(reader, paths, signal);
  const files = found.filter(({ entry }) => entry.kind === 'file');
  show(output, files, flags, ({ path }) => path);
  const folders = found.filter(({ entry }) => entry.kind === 'folder');
  for (const [at, { path }] of folders.entries()) {
    if (found.length > 1) output.print(`${at > 0 || files.length > 0 ? '\n' : ''}${output.shown(path)}:\n`);
    if (flags.recursive === true)
      show(output, await Array.fromAsync(walkRemote(reader, path, signal)), flags, (located) => located.path);
    else show(output, await contents(reader, path, signal), flags, ({ entry }) => entry.name);
  }
}

async function contents(reader: Reader, path: string, signal: AbortSignal): Promise<Located[]> {
  const entries = await Array.fromAsync(reader.list(path, { signal }));
  const located = entries.map((entry) => ({ path: childPath(path, entry.name), entry }));
  return located.toSorted((one, other) => compareNames(one.entry.name, other.entry.name));
}

function show(output: Output, all: readonly Located[], flags: LsFlags, nameOf: (located: Located) => string): void {
  for (const { path, entry } of all) output.json(entryJson(path, entry));
  const names = all.map((located) => `${output.shown(nameOf(located))}${located.entry.kind === 'folder' ? '/' : ''}`);
  if (flags.long === true) output.print(aligned(all.map(({ entry }, at) => longRow(entry, names[at] as string, flags))));
  else if (output.columns === undefined) output.print(names.map((name) => `${name}\n`).join(''));
  else output.print(inColumns(names, output.columns));
}

export function entryJson(
  path: string,
  { id, name, kind, size, mediaType, createdAt, changedAt, revision, owner }: Entry,
): object {
  return { path, name, kind, size, mediaType, createdAt, changedAt, revision, id, owner };
}

function longRow({ kind, size, changedAt }: Entry, name: string, { bytes }: LsFlags): string[] {
  const shownSize = kind === 'folder' ? '-' : bytes === true ? String(size) : humanSize(size);
  return [shownSize.padStart(bytes === true ? 14 : 8), localTime(changedAt), name];
}

/** As `2026-11-29 05:28`, in the time of this machine. */
export function localTime(time: Date): string {
  const two = (part: number): string => String(part).padStart(2, '0');
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}`;
}

/** Down the first column, then down the next, as many as fit. */
export function inColumns(names: readonly string[], columns: number): string {
  if (names.length === 0) return '';
  const width = names.reduce((most, name) => Math.max(most, widthOf(name)), 0) + 2;
  const across = Math.max(1, Math.floor(columns / width));
  const rows = Math.ceil(names.length / across);
  const lines = Array.from({ length: rows }, (_, row) => {
    const inRow = names.filter((_name, at) => at % rows === row);
    return `${inRow
      .map((name) => padded(name, width))
      .join('')
      .trimEnd()}\n`;
  });
  return lines.join('');
}
