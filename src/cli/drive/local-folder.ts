import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, mkdir, open, realpath, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { errorCode } from '../../common/errors.js';
import { putInPlace } from '../../common/put-in-place.js';
import { safeLocalName } from '../../sdk/local-name.js';
import { CliError } from './cli-error.js';

export interface LocalFile {
  readonly body: AsyncIterable<Uint8Array>;
  readonly modifiedAt: Date;
  /** Take the place of a file that is there. */
  readonly isReplacing: boolean;
}

export interface LocalState {
  readonly isFile: boolean;
  readonly size: number;
  readonly modifiedAtMs: number;
}

/**
 * A local folder into which things are put whose names somebody else may have chosen. Nothing ever leaves it: names are made harmless, no symbolic
 * link in it is followed, and a file shows up under its name when it is complete.
 */
export class LocalFolder {
  /** What was put here by this command, as file systems without capital letters would see it. */
  private readonly taken = new Map<string, string>();

  private constructor(readonly path: string) {}

  /** One that the user named: whatever links lead there, they are meant. */
  static async open(path: string): Promise<LocalFolder> {
    const real = await realpath(path);
    if (!(await lstat(real)).isDirectory()) throw new CliError('conflict', `${path} is no folder`);
    return new LocalFolder(real);
  }

  /** The folder that something lies in that the user named, and its name there. */
  static async around(path: string): Promise<{ readonly folder: LocalFolder; readonly name: string }> {
    const absolute = resolve(path);
    return { folder: await LocalFolder.open(dirname(absolute)), name: basename(absolute) };
  }

  /** The name under which something is put here. @throws CliError if another thing has it already */
  claim(remoteName: string): string {
    const name = safeLocalName(remoteName);
    const other = this.taken.get(name);
    if (other !== undefined)
      throw new CliError('conflict', `on this disk it would have the same name as "${other}", which is: ${name}`);
    this.taken.set(name, remoteName);
    return name;
  }

  /** A folder in this one, which is made if it is not there. @param name claimed, or the user's own */
  async child(name: string): Promise<LocalFolder> {
    const path = join(this.path, name);
    try {
      await mkdir(path);
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
      const found = await lstat(path);
      if (found.isSymbolicLink()) throw new CliError('conflict', `${path} is a symbolic link, which is not followed`);
      if (!found.isDirectory()) throw new CliError('conflict', `${path} is there already, and no folder`);
    }
    return new LocalFolder(path);
  }

  /** What has a name here, if anything has. */
  async find(name: string): Promise<LocalState | undefined> {
    try {
      const found = await lstat(join(this.path, name));
      return { isFile: found.isFile(), size: found.size, modifiedAtMs: Math.floor(found.mtimeMs) };
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** @param name claimed, or the user's own */
  async write(name: string, { body, modifiedAt, isReplacing }: LocalFile): Promise<void> {
    const temporary = join(this.path, `.dcloud-${randomBytes(8).toString('hex')}.part`);
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const file = await open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o666);
    try {
      try {
        await fill(file, body);
        await file.utimes(modifiedAt, modifiedAt);
      } finally {
        await file.close();
      }
      await this.publish(temporary, name, isReplacing);
    } finally {
      await rm(temporary, { force: true });
    }
  }

  private async publish(temporary: string, name: string, isReplacing: boolean): Promise<void> {
    const path = join(this.path, name);
    await putInPlace(temporary, path, isReplacing).catch((error: unknown) => {
      throw named(error, path);
    });
  }
}

async function fill(file: FileHandle, body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const bytes of body) {
    for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at, bytes.length - at)).bytesWritten;
  }
}

/** The system names the temporary file, which nobody knows. */
function named(error: unknown, path: string): unknown {
  const code = errorCode(error);
  if (code === 'EEXIST') return new CliError('conflict', `${path}: there is something of this name already`, { cause: error });
  if (code === 'EISDIR') return new CliError('conflict', `${path} is there already, and a folder`, { cause: error });
  return error;
}
