import { sealStreamWithAge } from '../../sdk/age-seal.js';
import { archiveOf, type ExportItem } from '../../sdk/export-archive.js';
import type { Context } from './context.js';
import { recipientOf, type SealFlags } from './kit.commands.js';
import { nameOf, remotePath, walkRemote, type Located, type Reader } from './remote-path.js';
import { about } from './subject-error.js';
import { TransferProgress } from './transfer-progress.js';
import { writeResult } from './write-result.js';

export interface ExportFlags extends SealFlags {
  readonly seal?: boolean;
}

/** `dcloud export`: a file or a folder as a tar archive, in the clear or sealed by age: both open without us. */
export async function exportFiles(context: Context, text: string, file: string, flags: ExportFlags): Promise<void> {
  const { output, signal } = context;
  const drive = await context.drive();
  const recipient = flags.seal === true || flags.recipient !== undefined ? await recipientOf(context, flags) : undefined;
  const path = remotePath(text);
  const all = await about(text, () => everything(drive, path, signal));
  const files = all.filter(({ entry }) => entry.kind === 'file');
  const bytes = files.reduce((sum, { entry }) => sum + entry.size, 0);
  const progress = new TransferProgress(output, { files: files.length, bytes });
  try {
    const archive = archiveOf(itemsOf({ drive, top: path, all, progress, signal }));
    const sealed = recipient === undefined ? archive : sealStreamWithAge(archive, recipient);
    await writeResult(context, { file, bytes: sealed, isReplacing: flags.replace === true });
  } finally {
    progress.stop();
  }
  if (file !== '-') output.json({ path, file, files: files.length, bytes });
  output.note(
    `${files.length} files are in ${file}, in the clear once it is opened: ${recipient === undefined ? 'tar -xf' : 'age --decrypt, then tar -xf'}`,
  );
}

async function everything(reader: Reader, path: string, signal: AbortSignal): Promise<readonly Located[]> {
  const entry = await reader.stat(path, { signal });
  const top = { path, entry };
  return entry.kind === 'file' ? [top] : [top, ...(await Array.fromAsync(walkRemote(reader, path, signal)))];
}

interface Exporting {
  readonly drive: Reader;
  readonly top: string;
  readonly all: readonly Located[];
  readonly progress: TransferProgress;
  readonly signal: AbortSignal;
}

// eslint-disable-next-line @typescript-eslint/require-await -- the archive takes what comes later as well as what is there
async function* itemsOf({ drive, top, all, progress, signal }: Exporting): AsyncGenerator<ExportItem> {
  const name = nameOf(top) || 'drive';
  for (const { path, entry } of all) {
    const below = path.slice(top.length).replace(/^\//u, '');
    const common = { path: below === '' ? name : `${name}/${below}`, size: entry.size, modifiedAt: entry.changedAt };
    if (entry.kind === 'folder') yield { ...common, kind: 'folder' };
    else yield { ...common, kind: 'file', body: () => read({ drive, path, signal, file: progress.file(entry.size) }) };
  }
}

interface Reading {
  readonly drive: Reader;
  readonly path: string;
  readonly file: ReturnType<TransferProgress['file']>;
  readonly signal: AbortSignal;
}

async function* read({ drive, path, file, signal }: Reading): AsyncGenerator<Uint8Array> {
  const { body } = await drive.download(path, { onProgress: file.onProgress, signal });
  yield* body;
  file.end();
}
