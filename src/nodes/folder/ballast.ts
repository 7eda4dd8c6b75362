import { randomFillSync } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../../common/errors.js';
import { remove, writeWhole } from './durable-files.js';
import type { PackFolder } from './pack-load.js';
import { BALLAST_FILE } from './pack-names.js';

const BALLAST_BYTES = 256 * 1024;
const BALLAST_BYTES_LEAST = 64 * 1024;
/** It takes no more than this part of a small disk. */
const DISK_PART = 64;

/**
 * A file that only takes up space, which a deletion can have on a disk that is truly full: a removal from a pack has to be written, and
 * without it nothing could be deleted any more. Its bytes are random, because file systems store zeros in nothing.
 */
export class Ballast {
  private isThere: boolean | undefined;
  private making: Promise<void> | undefined;

  constructor(private readonly folder: PackFolder) {}

  /** Makes it if it is not there and there is plenty of space; not awaited by a probe, which has no time for that. */
  restore(bytesFree: number, bytesTotal: number): Promise<void> {
    const bytes = Math.min(BALLAST_BYTES, Math.floor(bytesTotal / DISK_PART));
    if (this.isThere === true || bytes < BALLAST_BYTES_LEAST || bytesFree < 8 * bytes) return Promise.resolve();
    this.making ??= this.make(bytes)
      .catch(() => undefined) // the next probe tries again
      .finally(() => (this.making = undefined));
    return this.making;
  }

  /** Gives the space back; false if there was none to give. */
  async release(): Promise<boolean> {
    await this.making;
    if (!(await this.look())) return false;
    await remove(this.folder.files, this.path);
    this.isThere = false;
    return true;
  }

  async settled(): Promise<void> {
    await this.making;
  }

  private async make(bytes: number): Promise<void> {
    if (!(await this.look())) {
      const content = randomFillSync(new Uint8Array(bytes));
      await writeWhole(this.folder.files, { target: this.path, temp: `${this.path}.temp` }, [content]);
    }
    this.isThere = true;
  }

  private async look(): Promise<boolean> {
    try {
      return (await stat(this.path)).size >= BALLAST_BYTES_LEAST;
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return false;
      throw error;
    }
  }

  private get path(): string {
    return join(this.folder.packs, BALLAST_FILE);
  }
}
