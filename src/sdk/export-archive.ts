import { pack, type Pack } from 'tar-stream';

/** Something that goes into an export. */
export interface ExportItem {
  /** Below the folder that is exported, with `/` between names: `Letters/May.txt`. */
  readonly path: string;
  readonly kind: 'file' | 'folder';
  /** True bytes of a file; 0 for a folder. */
  readonly size: number;
  readonly modifiedAt: Date;
  /** Of a file: exactly `size` bytes. Called when its turn comes. */
  readonly body?: () => AsyncIterable<Uint8Array>;
}

/**
 * An exported folder: a tar archive (POSIX.1-2001, as every `tar` reads it) with names, folders and times as they were. Nothing of ours is in it, so
 * it opens without us. A source that fails fails the archive: what was written until then has no end, which `tar` tells.
 */
export async function* archiveOf(items: AsyncIterable<ExportItem>): AsyncGenerator<Uint8Array, void, undefined> {
  const archive = pack();
  const filling = fill(archive, items);
  // Seen at the end; until then a failure reaches the reader through the archive, which it destroys.
  filling.catch(() => undefined);
  try {
    yield* archive as AsyncIterable<Uint8Array>;
    await filling;
  } finally {
    archive.destroy();
  }
}

async function fill(archive: Pack, items: AsyncIterable<ExportItem>): Promise<void> {
  try {
    for await (const item of items) await add(archive, item);
    archive.finalize();
  } catch (error) {
    archive.destroy(error as Error);
    throw error;
  }
}

async function add(archive: Pack, { path, kind, size, modifiedAt, body }: ExportItem): Promise<void> {
  // The archive counts whole seconds from 1970 on.
  const common = { mtime: new Date(Math.max(0, modifiedAt.getTime())), uname: '', gname: '' };
  await new Promise<void>((resolve, reject) => {
    const done = (error?: Error | null): void => {
      if (error == null) resolve();
      else reject(error);
    };
    if (kind === 'folder') archive.entry({ ...common, name: `${path}/`, type: 'directory', mode: 0o755 }, done);
    else void pour(body?.() ?? nothing(), archive.entry({ ...common, name: path, type: 'file', size, mode: 0o644 }, done));
  });
}

/** What goes wrong destroys the entry, and with it the archive: `done` of the entry says so. */
async function pour(body: AsyncIterable<Uint8Array>, entry: ReturnType<Pack['entry']>): Promise<void> {
  entry.once('error', () => undefined);
  try {
    for await (const bytes of body) {
      if (entry.destroyed) return;
      if (!entry.write(bytes)) await drained(entry);
    }
    entry.end(undefined);
  } catch (error) {
    entry.destroy(error as Error);
  }
}

function drained(entry: ReturnType<Pack['entry']>): Promise<void> {
  return new Promise((resolve) => {
    const goOn = (): void => {
      entry.off('drain', goOn).off('close', goOn);
      resolve();
    };
    entry.on('drain', goOn).on('close', goOn);
  });
}

// eslint-disable-next-line @typescript-eslint/require-await -- an empty source is asynchronous like any other
async function* nothing(): AsyncGenerator<Uint8Array> {
  yield* [];
}
