import { randomUUID } from 'node:crypto';
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../common/errors.js';
import { concat, isEqual, sha256 } from './bytes.js';
import { SdkError } from './errors.js';
import type { StateStore } from './state-store.js';

const NAME = /^[a-z\d][a-z\d-]{0,63}$/u;
const HASH_BYTES = 32;
const FORMAT = 0x01;
/** Nobody writes a value for so long: who began to was killed. */
const UNFINISHED_MS = 3_600_000;

/**
 * A folder with a file for each value, for nobody but the user: 0700 and 0600. A file is its format, the hash of its content, and the content:
 * whatever broke it is found out. The hash protects from accidents; against somebody who may write here stands what is sealed in it.
 */
export class NodeFileStateStore implements StateStore {
  constructor(private readonly folder: string) {}

  async get(name: string): Promise<Uint8Array | undefined> {
    const bytes = await this.read(name);
    if (bytes === undefined) return undefined;
    const content = Uint8Array.from(bytes.subarray(1 + HASH_BYTES));
    const isWhole = bytes[0] === FORMAT && isEqual(bytes.subarray(1, 1 + HASH_BYTES), await sha256(content));
    if (!isWhole) throw new SdkError('state-damaged');
    return content;
  }

  async set(name: string, bytes: Uint8Array): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    await chmod(this.folder, 0o700); // it may have been there
    await this.removeUnfinished(name, UNFINISHED_MS);
    const path = this.path(name);
    const fresh = `${path}.${randomUUID()}.new`;
    try {
      await write(fresh, concat(Uint8Array.of(FORMAT), await sha256(bytes), bytes));
      await rename(fresh, path);
    } catch (error) {
      await rm(fresh, { force: true });
      throw error;
    }
  }

  async delete(name: string): Promise<void> {
    await rm(this.path(name), { force: true });
    await this.removeUnfinished(name, 0);
  }

  /** What is left of processes that were killed while they wrote a value: keys may lie in it. */
  private async removeUnfinished(name: string, ageMs: number): Promise<void> {
    const prefix = `${name}.state.`;
    for (const entry of await readdir(this.folder).catch(() => [])) {
      if (!entry.startsWith(prefix) || !entry.endsWith('.new')) continue;
      const path = join(this.folder, entry);
      const found = await stat(path).catch(() => undefined); // another process may have ended it
      if (found !== undefined && Date.now() - found.mtimeMs >= ageMs) await rm(path, { force: true });
    }
  }

  private async read(name: string): Promise<Uint8Array | undefined> {
    try {
      return await readFile(this.path(name));
    } catch (cause) {
      if (errorCode(cause) === 'ENOENT') return undefined;
      throw new SdkError('state-damaged', { cause });
    }
  }

  private path(name: string): string {
    if (!NAME.test(name)) throw new RangeError('a name of a state has small letters, digits and dashes');
    return join(this.folder, `${name}.state`);
  }
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}
