import { CliError } from './cli-error.js';
import { failureOf } from './failure.js';
import { LocalFolder } from './local-folder.js';
import type { Output } from './output.js';
import { childPath, nameOf, walkRemote, type Located, type Reader } from './remote-path.js';

/** A file and where it goes. */
export interface GetFile {
  readonly located: Located;
  readonly subject: string;
  readonly size: number;
  readonly folder: LocalFolder;
  /** Of the file there, made harmless or the user's own. */
  readonly name: string;
  /** No other one of this command could be the same file on a disk that does not tell capital letters from small ones. */
  readonly isAlone: boolean;
}

export interface GetPlanParts {
  readonly reader: Reader;
  readonly output: Output;
  readonly isRecursive: boolean;
}

/** Which files are fetched and where to. The folders are made at once: they are what the names of files are claimed in. */
export class GetPlan {
  readonly files: GetFile[] = [];
  /** What cannot be put on this disk. */
  failures = 0;
  private readonly folded = new Set<string>();

  constructor(
    private readonly parts: GetPlanParts,
    private readonly signal: AbortSignal,
  ) {}

  async add(found: readonly Located[], { target, isInto }: { readonly target: string; readonly isInto: boolean }): Promise<void> {
    const into = isInto ? await LocalFolder.open(target) : undefined;
    for (const located of found) {
      if (located.entry.kind === 'folder' && !this.parts.isRecursive)
        throw new CliError('usage', `${located.path} is a folder: -r takes it with everything in it`);
      if (into !== undefined) await this.put(located, into, this.nameIn(into, located));
      else {
        const { folder, name } = await LocalFolder.around(target);
        await this.put(located, folder, name);
      }
    }
  }

  private async put(located: Located, folder: LocalFolder, name: string | undefined): Promise<void> {
    if (name === undefined) return;
    if (located.entry.kind === 'folder') await this.fill(located.path, await folder.child(name));
    else this.file(located, folder, name);
  }

  private async fill(path: string, folder: LocalFolder): Promise<void> {
    const folders = new Map<string, LocalFolder | undefined>([[path, folder]]);
    for await (const located of walkRemote(this.parts.reader, path, this.signal)) {
      const parent = folders.get(located.path.slice(0, located.path.lastIndexOf('/')) || '/');
      const name = parent === undefined ? undefined : this.nameIn(parent, located);
      if (located.entry.kind === 'file') {
        if (parent !== undefined && name !== undefined) this.file(located, parent, name);
      } else
        folders.set(
          located.path,
          parent === undefined || name === undefined ? undefined : await this.childOf(parent, name, located),
        );
    }
  }

  private file(located: Located, folder: LocalFolder, name: string): void {
    const key = childPath(folder.path, name).toLowerCase();
    const isAlone = !this.folded.has(key);
    this.folded.add(key);
    this.files.push({ located, subject: located.path, size: located.entry.size, folder, name, isAlone });
  }

  /** Undefined, and told, if it cannot have one. */
  private nameIn(folder: LocalFolder, { path, entry }: Located): string | undefined {
    try {
      const own = nameOf(path) === '' ? entry.name : nameOf(path);
      const name = folder.claim(own === '' ? 'drive' : own);
      if (name !== own && own !== '') this.parts.output.note(`${path} is called ${name} on this disk`);
      return name;
    } catch (error) {
      this.tell(error, path);
      return undefined;
    }
  }

  private async childOf(parent: LocalFolder, name: string, { path }: Located): Promise<LocalFolder | undefined> {
    try {
      return await parent.child(name);
    } catch (error) {
      this.tell(error, path);
      return undefined;
    }
  }

  private tell(error: unknown, path: string): void {
    this.failures += 1;
    this.parts.output.fail(failureOf(error), path);
  }
}
