import picomatch from 'picomatch';
import type { Entry, LinkView } from '../../sdk/drive-api.js';
import { SdkError } from '../../sdk/errors.js';
import { CliError } from './cli-error.js';
import { about } from './subject-error.js';

/** What reads a tree: a drive, or what a link shows. */
export type Reader = Pick<LinkView, 'stat' | 'list' | 'download'>;

/** Folders lie no deeper; a server that shows more shows no tree. */
const DEPTH_MAX = 100;

/** A place in a drive as people write it: `docs/a` is `/docs/a`. */
export function remotePath(text: string): string {
  const path = text.startsWith('/') || text.startsWith('@') ? text : `/${text}`;
  return path.replace(/(?<=.)\/+$/u, '');
}

/** True if it was written as a folder. */
export function isWrittenAsFolder(text: string): boolean {
  return text.endsWith('/');
}

/** True if it is named as what lies in a drive, and nothing local could be meant. */
export function isWrittenAsRemote(text: string): boolean {
  return text.startsWith('/') || text.startsWith('@');
}

export function childPath(folder: string, name: string): string {
  return folder === '/' ? `/${name}` : `${folder}/${name}`;
}

export function parentPath(path: string): string {
  if (isTop(path)) throw new SdkError('invalid-name');
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

export function nameOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return isTop(path) ? name.slice(1) : name;
}

/** True for what lies in no folder that one sees: the own drive, and what somebody shared. */
export function isTop(path: string): boolean {
  return path === '/' || !path.includes('/');
}

/** Undefined if there is none. */
export async function statIfAny(reader: Pick<Reader, 'stat'>, path: string, signal: AbortSignal): Promise<Entry | undefined> {
  try {
    return await reader.stat(path, { signal });
  } catch (error) {
    if (error instanceof SdkError && error.kind === 'not-found') return undefined;
    throw error;
  }
}

/**
 * The entries of paths, in which `*`, `?`, `[…]`, `{…}` and `**` stand for names; a name that has such signs in it counts as it is. None twice.
 * @throws SubjectError which of them it is, caused by a CliError if a pattern matches nothing, or an SdkError, like `not-found` for a path
 */
export async function entriesOf(reader: Reader, texts: readonly string[], signal: AbortSignal): Promise<Located[]> {
  const found = new Map<string, Located>();
  for (const text of texts)
    for (const located of await about(text, () => meantBy(reader, remotePath(text), signal))) found.set(located.path, located);
  return [...found.values()];
}

async function meantBy(reader: Reader, path: string, signal: AbortSignal): Promise<readonly Located[]> {
  return isPattern(path) ? matching(reader, path, signal) : [{ path, entry: await reader.stat(path, { signal }) }];
}

/** An entry and the path by which it was reached. */
export interface Located {
  readonly path: string;
  readonly entry: Entry;
}

export function isPattern(text: string): boolean {
  return picomatch.scan(text).isGlob;
}

async function matching(reader: Reader, pattern: string, signal: AbortSignal): Promise<readonly Located[]> {
  const literal = await statIfAny(reader, pattern, signal);
  if (literal !== undefined) return [{ path: pattern, entry: literal }];
  const segments = pattern.split('/');
  const first = segments[0] === '' ? '/' : (segments[0] as string);
  const top = await reader.stat(first, { signal });
  const found = new Map<string, Located>();
  for await (const located of descend(reader, { path: first, entry: top }, segments.slice(1), signal))
    found.set(located.path, located);
  if (found.size === 0) throw new CliError('not-found', 'nothing matches');
  return [...found.values()].toSorted((one, other) => compareNames(one.path, other.path));
}

async function* descend(reader: Reader, at: Located, segments: readonly string[], signal: AbortSignal): AsyncGenerator<Located> {
  const [segment, ...rest] = segments;
  if (segment === undefined) {
    yield at;
    return;
  }
  if (at.entry.kind !== 'folder' || at.path.split('/').length > DEPTH_MAX + 1) return;
  const isDeep = segment === '**';
  if (isDeep) yield* descend(reader, at, rest.length === 0 ? ['*'] : rest, signal);
  const matches = isDeep ? (name: string) => !name.startsWith('.') : picomatch(segment.normalize('NFC'));
  for await (const entry of reader.list(at.path, { signal })) {
    const child = { path: childPath(at.path, entry.name), entry };
    if (matches(entry.name)) yield* descend(reader, child, isDeep ? segments : rest, signal);
  }
}

/** Everything in a folder, each folder before what is in it. */
export async function* walkRemote(reader: Reader, folder: string, signal: AbortSignal, depth = 0): AsyncGenerator<Located> {
  if (depth > DEPTH_MAX) throw new SdkError('damaged');
  const entries = (await Array.fromAsync(reader.list(folder, { signal }))).toSorted((one, other) =>
    compareNames(one.name, other.name),
  );
  for (const entry of entries) {
    const located = { path: childPath(folder, entry.name), entry };
    yield located;
    if (entry.kind === 'folder') yield* walkRemote(reader, located.path, signal, depth + 1);
  }
}

const collator = new Intl.Collator('und', { numeric: true });

/** As people sort: `a2` before `a10`. Names that are alike so, by their code points. */
export function compareNames(one: string, other: string): number {
  return collator.compare(one, other) || (one < other ? -1 : Number(one > other));
}
