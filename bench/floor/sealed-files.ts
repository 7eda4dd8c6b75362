import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { open, readFile, rename, unlink } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { GroupLog } from './group-log.ts';
import { openSegments, PLAIN_BYTES, SEGMENT_BYTES, sealedBytes, Segments } from './segments.ts';

const SLICE_BYTES = 1024 * 1024;
const SEGMENTS_OF_SLICE = SLICE_BYTES / SEGMENT_BYTES;
const COPIES = 2;
/** Slices of one body that are being written. */
const WIDTH = 4;

interface File {
  readonly size: number;
  readonly key: Uint8Array;
  /** Where it lies in the logs, if it does. */
  readonly offset?: number;
}

/**
 * Bodies sealed in segments of 64 KiB and kept twice: in slices of 1 MiB, each by temporary file, fsync and rename, with one fsync of each
 * directory in the end; or, when there is but one segment, in one log for each copy with group commit. One line of an index makes either
 * visible, durably. What there is is known from memory alone.
 */
export class SealedFiles {
  private readonly files = new Map<string, File>();
  private readonly folders: readonly string[];
  private readonly logs: readonly GroupLog[];
  private readonly index: GroupLog;
  private count = 0;

  private constructor(folders: readonly string[], logs: readonly GroupLog[], index: GroupLog) {
    this.folders = folders;
    this.logs = logs;
    this.index = index;
  }

  static async open(directory: string): Promise<SealedFiles> {
    const folders = Array.from({ length: COPIES }, (_, copy) => join(directory, `copy_${copy}`));
    for (const folder of folders) mkdirSync(folder, { recursive: true });
    const logs = await Promise.all(folders.map((folder) => GroupLog.open(join(folder, 'log'))));
    return new SealedFiles(folders, logs, await GroupLog.open(join(directory, 'index')));
  }

  sizeOf(id: string): number {
    return this.file(id).size;
  }

  async put(request: IncomingMessage): Promise<string> {
    const id = String((this.count += 1));
    const key = randomBytes(32);
    const segments = new Segments(key);
    const writes: Promise<void>[] = [];
    let [parts, complete, slices, size]: [Buffer[], number, number, number] = [[], 0, 0, 0];
    const flush = (): void => {
      const [bytes, number] = [parts, slices++];
      [parts, complete] = [[], 0];
      for (const folder of this.folders) writes.push(writeSlice(join(folder, `${id}-${number}`), bytes));
    };
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      segments.push(chunk, (segment) => {
        parts.push(...segment);
        if ((complete += 1) === SEGMENTS_OF_SLICE) flush();
      });
      while (writes.length > WIDTH * COPIES) await writes.shift();
    }
    parts.push(...segments.finish());
    const offset = slices === 0 && complete === 0 ? await this.append(parts) : undefined;
    if (offset === undefined) {
      flush();
      await Promise.all(writes);
      await Promise.all(this.folders.map(syncDirectory));
    }
    await this.note(`${id} ${size} ${key.toString('base64')} ${offset ?? ''}\n`);
    this.files.set(id, { size, key, ...(offset === undefined ? {} : { offset }) });
    return id;
  }

  /** Answers a body, or what lies between two of its bytes, the last one included. */
  async get(id: string, response: ServerResponse, [from, to]: readonly [number, number]): Promise<void> {
    const { key, offset, size } = this.file(id);
    response.setHeader('content-length', to - from + 1);
    if (offset !== undefined) {
      const log = this.logs[0] as GroupLog;
      response.end(openSegments(await log.read(offset, sealedBytes(size)), key, 0)[0]?.subarray(from, to + 1));
      return;
    }
    const [first, last] = [Math.floor(from / PLAIN_BYTES), Math.floor(to / PLAIN_BYTES)];
    const slices: { readonly position: number; readonly segments: number }[] = [];
    for (let position = first; position <= last;) {
      const segments = Math.min(SEGMENTS_OF_SLICE - (position % SEGMENTS_OF_SLICE), last - position + 1);
      slices.push({ position, segments });
      position += segments;
    }
    const read = (at: number): Promise<Buffer> | undefined => {
      const slice = slices[at];
      return slice === undefined ? undefined : this.read(id, slice.position, slice.segments);
    };
    let next = read(0);
    for (const [at, { position }] of slices.entries()) {
      const bytes = (await next) as Buffer;
      next = read(at + 1);
      const opened = openSegments(bytes, key, position);
      if (position + opened.length > last) opened.push((opened.pop() as Buffer).subarray(0, to - last * PLAIN_BYTES + 1));
      if (position === first) opened.unshift((opened.shift() as Buffer).subarray(from - first * PLAIN_BYTES));
      response.cork();
      const isRoom = opened.map((piece) => response.write(piece)).at(-1);
      response.uncork();
      if (isRoom === false) await new Promise((resume) => response.once('drain', resume));
    }
    response.end();
  }

  async remove(id: string): Promise<void> {
    const { offset, size } = this.file(id);
    this.files.delete(id);
    await this.note(`${id} removed\n`);
    const slices = offset === undefined ? Math.ceil(sealedBytes(size) / SLICE_BYTES) : 0;
    for (const folder of this.folders)
      for (let number = 0; number < slices; number += 1) await unlink(join(folder, `${id}-${number}`));
  }

  /** Some of the segments of a slice. */
  private async read(id: string, position: number, segments: number): Promise<Buffer> {
    const number = Math.floor(position / SEGMENTS_OF_SLICE);
    const path = join(this.folders[number % COPIES] as string, `${id}-${number}`);
    if (segments === SEGMENTS_OF_SLICE) return readFile(path);
    const file = await open(path);
    try {
      const buffer = Buffer.allocUnsafe(segments * SEGMENT_BYTES);
      const place = (position % SEGMENTS_OF_SLICE) * SEGMENT_BYTES;
      const { bytesRead } = await file.read(buffer, 0, buffer.length, place);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }

  private async append(parts: readonly Buffer[]): Promise<number> {
    const offsets = await Promise.all(this.logs.map((log) => log.append(parts)));
    return offsets[0] as number;
  }

  private note(line: string): Promise<number> {
    return this.index.append([Buffer.from(line)]);
  }

  private file(id: string): File {
    const file = this.files.get(id);
    if (file === undefined) throw new RangeError(`there is no file ${id}`);
    return file;
  }
}

async function writeSlice(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const file = await open(`${path}.tmp`, 'w');
  try {
    await file.writev(parts);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.tmp`, path);
}

async function syncDirectory(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
