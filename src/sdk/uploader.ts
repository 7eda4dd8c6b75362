import { concatAll, type Bytes } from './bytes.js';
import { sealPart, type ContentCipher, type PartSeal } from './content.js';
import type { Entry, UploadOptions } from './drive-api.js';
import { withNewIds, type WriteContext } from './drive-context.js';
import { isTop, parsePath, splitPath, type DrivePath } from './drive-path.js';
import { SdkError } from './errors.js';
import { FileWriter, isOf, newContentKey, type NewContent } from './file-writer.js';
import { entryOf, type OpenNode } from './open-node.js';
import { paddedSizeOf, partAt, partsOf, planParts } from './part-plan.js';
import { ProgressMeter } from './progress.js';
import type { ResumeState } from './resume-state.js';
import { isSized, sourceOfBytes, type SizedSource, type Source } from './source.js';
import { StreamReader } from './stream-parts.js';
import { UploadMemory } from './upload-memory.js';
import { sendParts, sendStream } from './upload-session.js';
import { signalOf } from './signal-of.js';

/** Sealed: a content of at most this comes with its revision, in one request. */
const INLINE_SEALED_BYTES_MAX = 48 * 1024;
/** Aborting must not wait for a server that does not answer. */
const TIDY_MS_MAX = 5_000;

interface Target {
  readonly path: DrivePath;
  readonly options: UploadOptions;
  readonly signal: AbortSignal;
  readonly attributes: NewContent['attributes'];
}

/** An upload that the server knows of. */
interface Begun {
  readonly uploadId: string;
  readonly nodeId: string;
  readonly contentKey: Bytes;
}

type KnownUpload = Omit<ResumeState, 'source'>;

interface LargeUpload {
  readonly known: KnownUpload;
  readonly memory: UploadMemory | undefined;
  readonly there: OpenNode | undefined;
  readonly target: Target;
}

/** Brings contents to the server. What is not finished is never visible. */
export class Uploader {
  private readonly writer: FileWriter;

  constructor(private readonly context: WriteContext) {
    this.writer = new FileWriter(context);
  }

  async upload(path: string, source: Source, options: UploadOptions = {}): Promise<Entry> {
    const { changedAt, mediaType } = options;
    const signal = signalOf(options);
    signal.throwIfAborted();
    const modifiedAt = changedAt?.getTime() ?? source.modifiedAtMs ?? this.context.now();
    const attributes = { modifiedAt, ...(mediaType !== undefined && { mediaType }) };
    const target = { path: parsePath(path), options, signal, attributes };
    return entryOf(isSized(source) ? await this.sized(source, target) : await this.stream(source, target));
  }

  private sized(source: SizedSource, target: Target): Promise<OpenNode> {
    return isSmall(source.size) ? this.small(source, target) : this.large(source, target);
  }

  /** One request, if nothing is there yet: it is not asked for before. */
  private async small(source: SizedSource, target: Target): Promise<OpenNode> {
    if (isTop(target.path)) {
      const there = await this.fileAt(target);
      return withNewIds(this.context, () => this.sendSmall(source, target, there));
    }
    try {
      return await withNewIds(this.context, () => this.sendSmall(source, target, undefined));
    } catch (error) {
      const isThere = error instanceof SdkError && error.kind === 'exists' && target.options.replace !== false;
      const there = isThere ? await this.fileAt(target) : undefined;
      if (there === undefined) throw error;
      return withNewIds(this.context, () => this.sendSmall(source, target, there));
    }
  }

  private async sendSmall(source: SizedSource, target: Target, there: OpenNode | undefined): Promise<OpenNode> {
    const { path, signal, attributes, options } = target;
    const { ids, floe } = this.context;
    const [meter, plan] = [new ProgressMeter(source.size, options.onProgress), planParts(source.size)];
    const nodeId = there?.id ?? (await ids.take(signal));
    const revisionId = await ids.take(signal);
    const contentKey = newContentKey();
    const cipher = { ids: { nodeId, revisionId }, contentKey, floe };
    const read = { source: source.read(0, source.size), trueSize: source.size };
    const { bytes: inlined, header, digest } = await sealPart(cipher, partAt(plan, 0), read);
    await source.assertUnchanged?.();
    const content = { plan, trueSize: source.size, parts: [{ header, digest }] };
    const file = { path, revisionId, contentKey, content, inlined, attributes };
    const node = await (there === undefined
      ? this.writer.create(nodeId, file, signal)
      : this.writer.revise(nodeId, file, signal));
    meter.add(source.size);
    meter.finish();
    return node;
  }

  private async large(source: SizedSource, target: Target): Promise<OpenNode> {
    const { signal, options } = target;
    const there = await this.fileAt(target);
    const { master } = this.context.keys();
    const place = await this.placeOf(target, there);
    const memory = await UploadMemory.of(options.resume, source, { master, ...place });
    const resumed = await memory?.resume(this.context.calls, signal);
    if (resumed !== undefined && there !== undefined && isOf(there, resumed)) {
      await memory?.forget();
      return there; // only the answer was lost
    }
    const goingOn = resumed && (await this.goingOn(resumed, there, signal));
    const begun = goingOn ?? {
      ...(await this.begin(target, there)),
      plan: planParts(source.size),
      sealedParts: new Map<number, PartSeal>(),
    };
    const known: KnownUpload = { ...begun, revisionId: begun.uploadId };
    await memory?.keep(known);
    return this.finishOrTidy(known, memory !== undefined, () => this.finish(source, { known, memory, there, target }));
  }

  private async finish(source: SizedSource, { known, memory, there, target }: LargeUpload): Promise<OpenNode> {
    const { options, signal } = target;
    const meter = new ProgressMeter(source.size, options.onProgress);
    const sealedParts = new Map(known.sealedParts);
    const onPart = async (part: number, seal: PartSeal): Promise<void> => {
      sealedParts.set(part, seal);
      await memory?.keep({ ...known, sealedParts });
    };
    const upload = { uploadId: known.uploadId, cipher: this.cipherOf(known), held: known.sealedParts, meter, onPart };
    const content = await sendParts(this.context.calls, { source, plan: known.plan }, upload, signal);
    await source.assertUnchanged?.();
    const node = await this.commit({ begun: known, content, there, target });
    meter.finish();
    await memory?.forget();
    return node;
  }

  /** What is left of an upload that began before, for the same file as now; undefined if the server has it no more. */
  private async goingOn(
    resumed: ResumeState,
    there: OpenNode | undefined,
    signal: AbortSignal,
  ): Promise<Omit<KnownUpload, 'revisionId'> | undefined> {
    const held = await this.heldBy(resumed.uploadId, signal);
    if (held === undefined || (there !== undefined && there.id !== resumed.nodeId)) return undefined;
    return { ...resumed, sealedParts: UploadMemory.heldParts(resumed, held) };
  }

  /** What fits one request is read first; the rest is sealed while it comes. */
  private async stream(source: Source, target: Target): Promise<OpenNode> {
    const { signal, options } = target;
    const reader = new StreamReader(source.read(0, Infinity));
    try {
      const pieces: Uint8Array[] = [];
      for await (const piece of reader.take(INLINE_SEALED_BYTES_MAX)) pieces.push(piece);
      const beginning = concatAll(pieces);
      if (await reader.isAtEnd()) return await this.sized(sourceOfBytes(beginning), target);
      reader.putBack(beginning);
      const there = await this.fileAt(target);
      const begun = await this.begin(target, there);
      return await this.finishOrTidy(begun, false, async () => {
        const meter = new ProgressMeter(undefined, options.onProgress);
        const upload = { uploadId: begun.uploadId, cipher: this.cipherOf(begun), held: new Map<number, PartSeal>(), meter };
        const content = await sendStream(this.context.calls, reader, upload, signal);
        const node = await this.commit({ begun, content, there, target });
        meter.finish();
        return node;
      });
    } finally {
      await reader.close();
    }
  }

  /** The file whose content is to be replaced. @throws SdkError `exists`, `not-a-file` */
  private async fileAt({ path, options, signal }: Target): Promise<OpenNode | undefined> {
    const there = await this.context.finder.find(path, signal);
    if (there === undefined) return undefined;
    if (there.record.kind !== 'file') throw new SdkError('not-a-file');
    if (options.replace === false) throw new SdkError('exists');
    return there;
  }

  /** The folder and the name there; of what lies in no folder that is known here itself. */
  private async placeOf(
    { path, signal }: Target,
    there: OpenNode | undefined,
  ): Promise<{ readonly folderId: string; readonly name: string }> {
    if (there !== undefined && isTop(path)) return { folderId: there.id, name: '' };
    const { folder, name } = splitPath(path);
    return { folderId: (await this.context.finder.folder(folder, signal)).id, name };
  }

  private async begin(target: Target, there: OpenNode | undefined): Promise<Begun> {
    const { signal } = target;
    const of = there === undefined ? { parentId: (await this.placeOf(target, there)).folderId } : { nodeId: there.id };
    const { uploadId, nodeId } = await this.context.calls.newUpload(of, signal);
    if (there !== undefined && nodeId !== there.id) throw new SdkError('damaged');
    return { uploadId, nodeId, contentKey: newContentKey() };
  }

  private async heldBy(uploadId: string, signal: AbortSignal): Promise<ReadonlyMap<number, Bytes> | undefined> {
    try {
      return await this.context.calls.uploadedParts(uploadId, signal);
    } catch (error) {
      if (error instanceof SdkError && error.kind === 'not-found') return undefined; // it was too long ago
      throw error;
    }
  }

  private async commit(parts: {
    readonly begun: Begun;
    readonly content: NewContent['content'];
    readonly there: OpenNode | undefined;
    readonly target: Target;
  }): Promise<OpenNode> {
    const { begun, content, there, target } = parts;
    const { path, attributes, signal } = target;
    const file = { path, revisionId: begun.uploadId, contentKey: begun.contentKey, content, attributes };
    if (there === undefined) return this.writer.create(begun.nodeId, file, signal);
    return this.writer.revise(there.id, file, signal);
  }

  private cipherOf({ uploadId, nodeId, contentKey }: Begun): ContentCipher {
    return { ids: { nodeId, revisionId: uploadId }, contentKey, floe: this.context.floe };
  }

  /** Whatever fails leaves nothing on the server, unless it can be gone on with. */
  private async finishOrTidy(begun: Begun, isKept: boolean, work: () => Promise<OpenNode>): Promise<OpenNode> {
    try {
      return await work();
    } catch (error) {
      const isWorthKeeping = isKept && !(error instanceof SdkError && error.kind === 'source-changed');
      if (!isWorthKeeping) await this.tidy(begun.uploadId);
      throw error;
    }
  }

  private async tidy(uploadId: string): Promise<void> {
    try {
      await this.context.calls.removeUpload(uploadId, AbortSignal.timeout(TIDY_MS_MAX));
    } catch {
      return; // it is not visible, and the server removes it by itself after some days
    }
  }
}

function isSmall(size: number): boolean {
  const isShort = paddedSizeOf(size) <= INLINE_SEALED_BYTES_MAX;
  if (!isShort) return false;
  const plan = planParts(size);
  return partsOf(plan) === 1 && partAt(plan, 0).sealedSize <= INLINE_SEALED_BYTES_MAX;
}
