import * as fs from 'node:fs';
import { promisify } from 'node:util';

/**
 * The system calls by which a node's folder changes, in one place: a test puts a recording or a failing layer here, and so proves what a
 * power cut or a broken disk leaves. Plain descriptors rather than FileHandles: half the cost a call.
 */
export interface FileCalls {
  open(path: string, flags: string | number): Promise<number>;
  close(descriptor: number): Promise<void>;
  /** Writes at a position; returns how many bytes the kernel took. */
  write(descriptor: number, bytes: Uint8Array, position: number): Promise<number>;
  fsync(descriptor: number): Promise<void>;
  fdatasync(descriptor: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  mkdir(path: string): Promise<void>;
}

const open = promisify(fs.open);
const write = promisify(fs.write);
const mkdir = promisify(fs.mkdir);

/** The real ones. What they make, only the owner may read. */
export const NODE_FILE_CALLS: FileCalls = {
  open: (path, flags) => open(path, flags, 0o600),
  close: promisify(fs.close),
  write: async (descriptor, bytes, position) => (await write(descriptor, bytes, 0, bytes.byteLength, position)).bytesWritten,
  fsync: promisify(fs.fsync),
  fdatasync: promisify(fs.fdatasync),
  rename: promisify(fs.rename),
  unlink: promisify(fs.unlink),
  mkdir: (path) => mkdir(path, { mode: 0o700 }),
};
