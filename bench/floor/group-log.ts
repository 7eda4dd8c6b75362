import { type FileHandle, open } from 'node:fs/promises';

interface Waiting {
  readonly parts: readonly Uint8Array[];
  readonly done: PromiseWithResolvers<number>;
}

/** A file that is only appended to. What waits while it syncs is written with one call and synced once. */
export class GroupLog {
  private readonly file: FileHandle;
  private waiting: Waiting[] = [];
  private end = 0;
  private isWriting = false;

  private constructor(file: FileHandle) {
    this.file = file;
  }

  static async open(path: string): Promise<GroupLog> {
    return new GroupLog(await open(path, 'w+'));
  }

  /** Resolves when it is durable, with its place in the file. */
  append(parts: readonly Uint8Array[]): Promise<number> {
    const done = Promise.withResolvers<number>();
    this.waiting.push({ parts, done });
    if (!this.isWriting) void this.write();
    return done.promise;
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const { buffer } = await this.file.read(Buffer.allocUnsafe(length), 0, length, offset);
    return buffer;
  }

  private async write(): Promise<void> {
    this.isWriting = true;
    while (this.waiting.length > 0) {
      const group = this.waiting;
      this.waiting = [];
      await this.writeGroup(group).catch((error: unknown) => {
        for (const { done } of group) done.reject(error);
      });
    }
    this.isWriting = false;
  }

  private async writeGroup(group: readonly Waiting[]): Promise<void> {
    await this.file.write(Buffer.concat(group.flatMap(({ parts }) => parts)));
    await this.file.datasync();
    for (const { parts, done } of group) {
      done.resolve(this.end);
      for (const { length } of parts) this.end += length;
    }
  }
}
