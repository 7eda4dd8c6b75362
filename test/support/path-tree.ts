import type { Reader } from '../../src/cli/drive/remote-path.js';
import type { Entry } from '../../src/sdk/drive-api.js';
import { SdkError } from '../../src/sdk/errors.js';

/** A drive of some paths, without contents; names in it are whatever a hostile writer would call them. */
export class PathTree implements Reader {
  private readonly entries = new Map<string, Entry>();

  /** @param paths of folders with a slash at their end, each before what is in it */
  constructor(...paths: readonly string[]) {
    for (const path of ['/', ...paths]) this.add(path);
  }

  async stat(path: string): Promise<Entry> {
    const entry = this.entries.get(path);
    if (entry === undefined) throw new SdkError('not-found');
    return entry;
  }

  async *list(path = '/'): AsyncGenerator<Entry> {
    const folder = path.endsWith('/') ? path : `${path}/`;
    for (const [each, entry] of this.entries) if (each !== '/' && each === folder + entry.name) yield entry;
  }

  download(): Promise<never> {
    throw new Error('there are no contents here');
  }

  async mkdir(path: string): Promise<Entry> {
    this.add(`${path}/`);
    return this.stat(path);
  }

  private add(path: string): void {
    const kind = path.endsWith('/') ? 'folder' : 'file';
    const own = path.replace(/(?<=.)\/$/u, '');
    const name = own.slice(own.lastIndexOf('/') + 1);
    const times = { createdAt: new Date(0), changedAt: new Date(0) };
    this.entries.set(own, { id: own, name, kind, size: 0, mediaType: '', ...times, revision: 0, path: own, owner: '' });
  }
}
