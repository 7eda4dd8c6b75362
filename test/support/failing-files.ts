import { NODE_FILE_CALLS, type FileCalls } from '../../src/nodes/folder/file-calls.js';

export type FileCallName = keyof FileCalls;

/** What fails: calls of this name (those whose path matches, if it has one), with this code of the system. */
export interface FileFault {
  readonly on: FileCallName;
  readonly code: string;
  readonly path?: RegExp;
  /** How many calls it lets pass first, and how many fail then (all, unless told otherwise). */
  readonly after?: number;
  readonly times?: number;
}

/** The real system calls, some of which fail on demand. */
export class FailingFiles implements FileCalls {
  private faults: { readonly fault: FileFault; passed: number; failed: number }[] = [];
  private readonly paths = new Map<number, string>();

  inject(fault: FileFault): void {
    this.faults.push({ fault, passed: 0, failed: 0 });
  }

  mend(): void {
    this.faults = [];
  }

  async open(path: string, flags: string | number): Promise<number> {
    this.fail('open', path);
    const descriptor = await NODE_FILE_CALLS.open(path, flags);
    this.paths.set(descriptor, path);
    return descriptor;
  }

  async close(descriptor: number): Promise<void> {
    await NODE_FILE_CALLS.close(descriptor);
    this.fail('close', this.paths.get(descriptor));
  }

  async write(descriptor: number, bytes: Uint8Array, position: number): Promise<number> {
    try {
      this.fail('write', this.paths.get(descriptor));
    } catch (error) {
      await NODE_FILE_CALLS.write(descriptor, bytes.subarray(0, bytes.byteLength >> 1), position); // as a disk does that runs full
      throw error;
    }
    return NODE_FILE_CALLS.write(descriptor, bytes, position);
  }

  async fsync(descriptor: number): Promise<void> {
    this.fail('fsync', this.paths.get(descriptor));
    await NODE_FILE_CALLS.fsync(descriptor);
  }

  async fdatasync(descriptor: number): Promise<void> {
    this.fail('fdatasync', this.paths.get(descriptor));
    await NODE_FILE_CALLS.fdatasync(descriptor);
  }

  async rename(from: string, to: string): Promise<void> {
    this.fail('rename', to);
    await NODE_FILE_CALLS.rename(from, to);
  }

  async unlink(path: string): Promise<void> {
    this.fail('unlink', path);
    await NODE_FILE_CALLS.unlink(path);
  }

  async mkdir(path: string): Promise<void> {
    this.fail('mkdir', path);
    await NODE_FILE_CALLS.mkdir(path);
  }

  private fail(call: FileCallName, path = ''): void {
    for (const each of this.faults) {
      const { on, code, path: pattern, after = 0, times = Infinity } = each.fault;
      if (on !== call || pattern?.test(path) === false) continue;
      if (each.passed++ < after || each.failed >= times) continue;
      each.failed += 1;
      throw Object.assign(new Error(`${code}: injected`), { code, syscall: call });
    }
  }
}
