import { isEqual } from './bytes.js';
import { ContentReader, type ReadableContent } from './content-reader.js';
import type { CallOptions, ContentCalls, Download, DownloadOptions, Entry, RevisionEntry, UploadOptions } from './drive-api.js';
import { changing, nodeUpToDate, withLists, writerIn, type ReadContext, type WriteContext } from './drive-context.js';
import type { SealedRevision } from './drive-calls.js';
import { parsePath } from './drive-path.js';
import { SdkError } from './errors.js';
import { revisionAgain } from './file-writer.js';
import { entryOf, type OpenNode } from './open-node.js';
import { ProgressMeter, type OnProgress } from './progress.js';
import { openManifest, readManifestHead, type RevisionManifest } from './revision-manifest.js';
import type { Source } from './source.js';
import { Uploader } from './uploader.js';
import { Writers } from './writers.js';
import { signalOf } from './signal-of.js';

/** Manifests of large files are large: of few of them at once. */
const HISTORY_PAGE = 20;

type FileNode = OpenNode & { readonly content: NonNullable<OpenNode['content']> };

/** Reads what files hold, for whoever may see them. */
export class FileReader {
  private readonly reader: ContentReader;

  constructor(private readonly context: ReadContext) {
    this.reader = new ContentReader(context.calls, context.floe);
  }

  async download(path: string, options: DownloadOptions = {}): Promise<Download> {
    const { from = 0, to = Infinity, revision, onProgress } = options;
    const signal = signalOf(options);
    const file = await this.file(path, signal);
    const content = await this.contentOf(file, revision, signal);
    const { trueSize } = content.manifest;
    const range = { from: Math.min(Math.max(0, from), trueSize), to: Math.min(to, trueSize) };
    const size = Math.max(0, range.to - range.from);
    const body = counted(this.reader.read(content, range, signal), size, onProgress);
    const entry = { ...entryOf(file), size: trueSize, revision: content.manifest.revision };
    return { entry, size, body };
  }

  /** Newest first. Each must be the one that the next names as its past. */
  async *history(path: string, options?: CallOptions): AsyncGenerator<RevisionEntry, void, undefined> {
    const signal = signalOf(options);
    const file = await this.file(path, signal);
    for await (const { manifest, createdAt } of this.past(file, signal)) {
      const { revision, revisionId, trueSize, writer } = manifest;
      yield { revision, revisionId, size: trueSize, createdAt, writer: writer.accountId };
    }
  }

  private async *past(file: FileNode, signal: AbortSignal): AsyncGenerator<PastContent, void, undefined> {
    let after: RevisionManifest | undefined;
    for (let before: number | undefined, isFirst = true; isFirst || before !== undefined; isFirst = false) {
      const page = await this.context.calls.revisions(file.id, { before, limit: HISTORY_PAGE }, signal);
      for (const sealed of page.revisions) {
        const manifest = await this.open(file, { sealed, after }, signal);
        if (after !== undefined) assertFollows(after, manifest);
        if (after === undefined) this.context.seen.meet('content', file.id, manifest);
        after = manifest;
        yield { manifest, createdAt: sealed.createdAt };
      }
      before = page.nextBefore;
    }
  }

  async file(path: string, signal: AbortSignal): Promise<FileNode> {
    const node = await this.context.finder.node(parsePath(path), signal);
    return asFile(node);
  }

  /** A revision of a file, opened. @throws SdkError `not-found` */
  async revision(file: FileNode, revision: number, signal: AbortSignal): Promise<ReadableContent> {
    const sealed = await this.context.calls.revision(file.id, revision, signal);
    const after = await this.vouching(file, sealed, signal);
    const manifest = await this.open(file, { sealed, after }, signal);
    const newest = file.content.manifest;
    if (manifest.revision !== revision) throw new SdkError('damaged');
    if (revision === newest.revision && !isEqual(manifest.hash, newest.hash)) throw new SdkError('rolled-back');
    assertPast(newest, manifest);
    return { nodeId: file.id, manifest, ...(sealed.inlined !== undefined && { inlined: sealed.inlined }) };
  }

  private async contentOf(file: FileNode, revision: number | undefined, signal: AbortSignal): Promise<ReadableContent> {
    const { manifest, isInlined } = file.content;
    if (revision === undefined && !isInlined) return { nodeId: file.id, manifest };
    return this.revision(file, revision ?? manifest.revision, signal);
  }

  /** The one that names a revision as its past, if that is by a list that counts no more; so all between them and the newest are needed. */
  private async vouching(file: FileNode, sealed: SealedRevision, signal: AbortSignal): Promise<RevisionManifest | undefined> {
    const { writer, revision } = readManifestHead(sealed.manifest);
    if (new Writers(file.owner, file.lists).find(writer) !== undefined) return undefined;
    for await (const { manifest } of this.past(file, signal)) {
      if (manifest.revision <= revision) return undefined;
      if (manifest.revision === revision + 1) return manifest;
    }
    return undefined;
  }

  /** What was written by a list that was not known yet opens by the newest one. */
  private async open(
    file: OpenNode,
    { sealed, after }: { readonly sealed: SealedRevision; readonly after: RevisionManifest | undefined },
    signal: AbortSignal,
  ): Promise<RevisionManifest> {
    const openBy = ({ lists }: OpenNode): Promise<RevisionManifest> => {
      const expected = { nodeId: file.id, writers: new Writers(file.owner, lists), vouched: after?.previousHash };
      return openManifest(sealed.manifest, file.record.keys, expected);
    };
    try {
      return await openBy(file);
    } catch (error) {
      if (!(error instanceof SdkError && error.kind === 'not-yours')) throw error;
      return openBy(await withLists(this.context, file, signal));
    }
  }
}

/** One revision of a file's past. */
interface PastContent {
  readonly manifest: RevisionManifest;
  readonly createdAt: Date;
}

/** Contents: what an account can do with files, its own or shared ones. */
export class DriveContent implements ContentCalls {
  private readonly uploader: Uploader;
  private readonly files: FileReader;

  constructor(private readonly context: WriteContext) {
    this.uploader = new Uploader(context);
    this.files = new FileReader(context);
  }

  upload(path: string, source: Source, options?: UploadOptions): Promise<Entry> {
    return this.uploader.upload(path, source, options);
  }

  download(path: string, options?: DownloadOptions): Promise<Download> {
    return this.files.download(path, options);
  }

  history(path: string, options?: CallOptions): AsyncIterable<RevisionEntry> {
    return this.files.history(path, options);
  }

  /** Writes a revision with the content of an older one: its key and its parts stay, and nothing is uploaded. */
  async restore(path: string, revision: number, options?: CallOptions): Promise<Entry> {
    const signal = signalOf(options);
    return changing(this.context, signal, async ({ isRepeated }) => {
      const file = await nodeUpToDate(this.context, () => this.files.file(path, signal), signal);
      if (file === undefined) throw new SdkError('not-found');
      const { manifest: old } = await this.files.revision(file, revision, signal);
      const newest = file.content.manifest;
      // The newest one is what was wanted: it was so before, or by the attempt whose answer was lost.
      if (newest.revision === revision || (isRepeated && isEqual(newest.contentKey, old.contentKey))) return entryOf(file);
      const writer = writerIn(this.context.keys(), file.owner.accountId, file.lists);
      return entryOf(await revisionAgain(this.context, file, { content: old, writer }, signal));
    });
  }
}

function asFile(node: OpenNode): FileNode {
  const { content } = node;
  if (content === undefined) throw new SdkError('not-a-file');
  return { ...node, content };
}

/** Of a revision and an earlier one, which may be itself: if they follow each other the later names the earlier. */
function assertPast(after: RevisionManifest, before: RevisionManifest): void {
  const isEarlier = before.revision < after.revision || isEqual(before.hash, after.hash);
  if (!isEarlier) throw new SdkError('rolled-back');
  if (after.revision === before.revision + 1) assertFollows(after, before);
}

/** Without a gap, behind which anything could stand that a writer of then signs now. */
function assertFollows(after: RevisionManifest, before: RevisionManifest): void {
  const isNext = after.revision === before.revision + 1;
  if (!isNext || !isEqual(after.previousHash, before.hash)) throw new SdkError('rolled-back');
}

/** Counts what comes: fewer bytes than were said are an error. */
async function* counted(
  body: AsyncIterable<Uint8Array>,
  size: number,
  onProgress: OnProgress | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const meter = new ProgressMeter(size, onProgress);
  let left = size;
  for await (const chunk of body) {
    left -= chunk.length;
    meter.add(chunk.length);
    yield chunk;
  }
  if (left !== 0) throw new SdkError('damaged');
  meter.finish();
}
