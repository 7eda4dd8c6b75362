import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { errorCode } from '../../common/errors.js';
import { packPath } from './pack-names.js';

const open = promisify(fs.open);
const close = promisify(fs.close);
const read = promisify(fs.read);

interface Opened {
  readonly descriptor: Promise<number>;
  users: number;
  isDropped: boolean;
}

/** Open packs of a node. More are closed, the least recently used first: a thousand packs must not take a thousand descriptors. */
const OPEN_MAX = 32;

/** Descriptors by which packs are read. One that is in use stays open until its last reader is done, even if the pack is unlinked. */
export class PackDescriptors {
  private readonly opened = new Map<number, Opened>();

  constructor(private readonly packs: string) {}

  /** Reads from a pack until the bytes are full or it ends; returns how many it read. */
  async read(seq: number, bytes: Uint8Array, position: number): Promise<number> {
    const opened = this.take(seq);
    try {
      const descriptor = await opened.descriptor;
      let filled = 0;
      while (filled < bytes.byteLength) {
        const { bytesRead } = await read(descriptor, bytes, filled, bytes.byteLength - filled, position + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return filled;
    } catch (error) {
      this.drop(seq);
      const code = errorCode(error);
      if (code === 'EMFILE' || code === 'ENFILE') this.dropIdle(0);
      throw error;
    } finally {
      opened.users -= 1;
      if (opened.isDropped) this.closeUnused(opened);
    }
  }

  /** Closes a pack as soon as nobody reads it. */
  drop(seq: number): void {
    const opened = this.opened.get(seq);
    if (opened === undefined) return;
    this.opened.delete(seq);
    opened.isDropped = true;
    this.closeUnused(opened);
  }

  dropAll(): void {
    for (const seq of [...this.opened.keys()]) this.drop(seq);
  }

  private take(seq: number): Opened {
    const opened = this.opened.get(seq) ?? { descriptor: open(packPath(this.packs, seq), 'r'), users: 0, isDropped: false };
    opened.users += 1;
    this.opened.delete(seq);
    this.opened.set(seq, opened); // to the end of the order, which is that of use
    if (this.opened.size > OPEN_MAX) this.dropIdle(OPEN_MAX);
    return opened;
  }

  private dropIdle(left: number): void {
    for (const [seq, opened] of [...this.opened]) {
      if (this.opened.size <= left) return;
      if (opened.users === 0) this.drop(seq);
    }
  }

  private closeUnused(opened: Opened): void {
    if (opened.users > 0) return;
    // What cannot be opened is told to its readers; what cannot be closed was only read, and is lost to nobody.
    opened.descriptor.then(close).catch(() => undefined);
  }
}
