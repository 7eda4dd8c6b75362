import { once } from 'node:events';
import type { Context } from './context.js';
import { LocalFolder } from './local-folder.js';

export interface Result {
  /** A local file, or `-`. */
  readonly file: string;
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly isReplacing: boolean;
}

/** Writes one file as a whole or not at all, or to standard output. */
export async function writeResult({ signal }: Context, { file, bytes, isReplacing }: Result): Promise<void> {
  if (file === '-') {
    await writeToStdout(bytes, signal);
    return;
  }
  const { folder, name } = await LocalFolder.around(file);
  await folder.write(name, { body: until(bytes, signal), modifiedAt: new Date(), isReplacing });
}

export async function writeToStdout(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  for await (const chunk of until(bytes, signal)) {
    if (!process.stdout.write(chunk)) await once(process.stdout, 'drain', { signal });
  }
}

async function* until(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    signal.throwIfAborted();
    yield chunk;
  }
}
