import { createHash } from 'node:crypto';
import { constants, type BigIntStats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Bytes } from './bytes.js';
import { SdkError } from './errors.js';
import type { SizedSource } from './source.js';

/** Sixteen segments of the plaintext: no segment then lies in two buffers. */
const READ_BYTES = 16 * 65_504;
const FINGERPRINT_BYTES = 65_536;
/** What is not larger goes in one request: there is nothing of it to resume. */
const RESUMED_BYTES_MIN = 48 * 1024;

/**
 * A local file, open. It is the same file until it is closed, whatever takes its name meanwhile; one that is written to while it is read is found
 * by its size and times.
 */
export class NodeFileSource implements SizedSource {
  private constructor(
    private readonly file: FileHandle,
    private readonly state: BigIntStats,
    readonly origin: string,
    readonly fingerprint: Bytes | undefined,
  ) {}

  /** @throws what the system says of a file that is not there, or is none */
  static async open(path: string): Promise<NodeFileSource> {
    // Who opens a pipe without this waits until somebody writes to it.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const state = await file.stat({ bigint: true });
      if (state.isDirectory()) throw Object.assign(new Error(`${path} is a folder`), { code: 'EISDIR' });
      if (!state.isFile()) throw new SdkError('not-a-file');
      const fingerprint = state.size < RESUMED_BYTES_MIN ? undefined : await fingerprintOf(file, state);
      return new NodeFileSource(file, state, resolve(path), fingerprint);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get size(): number {
    return Number(this.state.size);
  }

  get modifiedAtMs(): number {
    return Math.max(0, Number(this.state.mtimeMs));
  }

  async *read(from: number, to: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = from; at < to;) {
      const wanted = Math.min(READ_BYTES, to - at);
      const buffer = new Uint8Array(wanted);
      const { bytesRead } = await this.file.read(buffer, 0, wanted, at);
      if (bytesRead === 0) throw new SdkError('source-changed');
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  async assertUnchanged(): Promise<void> {
    const now = await this.file.stat({ bigint: true });
    const { size, mtimeNs, ctimeNs } = this.state;
    // A file that was renamed or removed is still what it was; only its bytes count, and no write leaves its time of modification.
    const isSame =
      now.size === size && now.mtimeNs === mtimeNs && (now.nlink === this.state.nlink ? now.ctimeNs === ctimeNs : true);
    if (!isSame) throw new SdkError('source-changed');
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

/** By the time of the last change of anything, too: times of modification can be set, as copying does. */
async function fingerprintOf(file: FileHandle, { dev, ino, mtimeNs, ctimeNs }: BigIntStats): Promise<Bytes> {
  const beginning = new Uint8Array(FINGERPRINT_BYTES);
  const { bytesRead } = await file.read(beginning, 0, FINGERPRINT_BYTES, 0);
  const hash = createHash('sha256').update([dev, ino, mtimeNs, ctimeNs].join(' ')).update('\n');
  return Uint8Array.from(hash.update(beginning.subarray(0, bytesRead)).digest());
}
