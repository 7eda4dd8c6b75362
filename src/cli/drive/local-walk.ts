import { glob, lstat, readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { Stats } from 'node:fs';
import picomatch from 'picomatch';
import { CliError } from './cli-error.js';
import { compareNames } from './remote-path.js';

/** A local file or folder that is to be stored. */
export interface LocalItem {
  readonly path: string;
  /** Which of the given sources it belongs to, and its names from there. */
  readonly root: number;
  readonly names: readonly string[];
  readonly kind: 'file' | 'folder';
  readonly size: number;
  readonly modifiedAtMs: number;
}

export interface WalkOptions {
  readonly isRecursive: boolean;
  /** Take what symbolic links point to. */
  readonly isFollowing: boolean;
  /** Told of what is left out, and why. */
  readonly onSkip: (path: string, reason: string) => void;
}

/** What a shell did not expand, as where a pattern was quoted. @throws CliError if it matches nothing */
export async function expandLocal(sources: readonly string[]): Promise<string[]> {
  const expanded: string[] = [];
  for (const source of sources) {
    if (!picomatch.scan(source).isGlob || (await exists(source))) expanded.push(source);
    else {
      const found = await Array.fromAsync(glob(source));
      if (found.length === 0) throw new CliError('not-found', `${source}: nothing matches`);
      expanded.push(...found.toSorted(compareNames));
    }
  }
  return expanded;
}

/** The name that something has by itself, also where it is written as `.` */
export function localName(source: string): string {
  return basename(resolve(source));
}

/** Everything that is to be stored, each folder before what is in it. */
export async function* walkLocal(sources: readonly string[], options: WalkOptions): AsyncGenerator<LocalItem> {
  for (const [root, source] of sources.entries()) {
    const walk = new Walk(root, options);
    yield* walk.at(source, [], []);
  }
}

class Walk {
  constructor(
    private readonly root: number,
    private readonly options: WalkOptions,
  ) {}

  async *at(path: string, names: readonly string[], above: readonly string[]): AsyncGenerator<LocalItem> {
    const found = await this.look(path);
    if (found === undefined) return;
    const item = { path, root: this.root, names, modifiedAtMs: Math.max(0, Math.floor(found.mtimeMs)) };
    if (found.isFile()) yield { ...item, kind: 'file', size: found.size };
    else if (!found.isDirectory()) this.options.onSkip(path, 'this is no file and no folder');
    else yield* this.folder({ ...item, kind: 'folder', size: 0 }, [...above, `${found.dev}:${found.ino}`]);
  }

  private async *folder(item: LocalItem, above: readonly string[]): AsyncGenerator<LocalItem> {
    if (!this.options.isRecursive) throw new CliError('usage', `${item.path} is a folder: -r takes it with everything in it`);
    const own = above.at(-1) as string;
    if (above.indexOf(own) < above.length - 1) {
      this.options.onSkip(item.path, 'this symbolic link leads into a folder that it lies in');
      return;
    }
    yield item;
    const names = (await readdir(item.path)).toSorted(compareNames);
    for (const name of names) yield* this.at(join(item.path, name), [...item.names, name], above);
  }

  private async look(path: string): Promise<Stats | undefined> {
    const found = await lstat(path);
    if (!found.isSymbolicLink()) return found;
    if (this.options.isFollowing) return stat(path);
    this.options.onSkip(path, 'this is a symbolic link; --follow takes what it points to');
    return undefined;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch {
    return false;
  }
}
