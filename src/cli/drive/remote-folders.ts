import type { Drive, Entry } from '../../sdk/drive-api.js';
import { SdkError } from '../../sdk/errors.js';
import { isTop, nameOf, parentPath, statIfAny } from './remote-path.js';

/** The folders of a drive that things are put into: each is looked at, or made, once. */
export class RemoteFolders {
  private readonly ready = new Map<string, Promise<Contents>>();

  constructor(
    private readonly drive: Pick<Drive, 'stat' | 'list' | 'mkdir'>,
    private readonly signal: AbortSignal,
  ) {}

  /** Makes a folder if it is not there. What is above it must be there, or have been asked for before. @throws SdkError `exists` if a file has the name */
  async ensure(path: string): Promise<void> {
    let made = this.ready.get(path);
    if (made === undefined) {
      made = this.make(path);
      made.catch(() => undefined); // each who needs the folder fails by it
      this.ready.set(path, made);
    }
    await made;
  }

  /** True if it is known what is in a folder. */
  has(folder: string): boolean {
    return this.ready.has(folder);
  }

  /** What had a name in a folder that {@link ensure} was asked for, if anything had. */
  async find(folder: string, name: string): Promise<Entry | undefined> {
    return (await this.ready.get(folder))?.get(name.normalize('NFC'));
  }

  private async make(path: string): Promise<Contents> {
    const above = isTop(path) ? undefined : this.ready.get(parentPath(path));
    const known =
      above === undefined ? await statIfAny(this.drive, path, this.signal) : (await above).get(nameOf(path).normalize('NFC'));
    if (known?.kind === 'file') throw new SdkError('exists');
    if (known === undefined) {
      await this.drive.mkdir(path, { signal: this.signal });
      return new Map();
    }
    const contents = new Map<string, Entry>();
    for await (const entry of this.drive.list(path, { signal: this.signal })) contents.set(entry.name, entry);
    return contents;
  }
}

type Contents = ReadonlyMap<string, Entry>;
