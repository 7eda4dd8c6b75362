import { meetAcknowledged } from './acknowledged.js';
import { isEqual, randomBytes, type Bytes } from './bytes.js';
import type { SealedContent } from './content.js';
import { changing, nodeUpToDate, upToDate, writerIn, writerInFolder, type WriteContext } from './drive-context.js';
import type { NodeAttributes } from './drive-attributes.js';
import type { NewNode, NewRevision } from './drive-calls.js';
import { NodeKeys } from './drive-keys.js';
import { childPath, isTop, splitPath, type DrivePath } from './drive-path.js';
import { SdkError } from './errors.js';
import { KEY_BYTES } from './hkdf.js';
import { placeIn, type MadeFile, type OpenNode } from './open-node.js';
import { newRecord, openAnswer, writeRecord } from './record-writer.js';
import { makeManifest, makeOpenManifest, type RevisionManifest } from './revision-manifest.js';
import { NO_HASH } from './succession.js';
import type { WriterRef } from './writers.js';

/** A content that is sealed, and where it is to be. */
export interface NewContent {
  readonly path: DrivePath;
  /** Its id is that of the upload, or one that the server gave out. */
  readonly revisionId: string;
  readonly contentKey: Bytes;
  readonly content: SealedContent;
  /** The only part, if it was not uploaded. */
  readonly inlined?: Bytes;
  readonly attributes: Pick<NodeAttributes, 'modifiedAt'> & Partial<Pick<NodeAttributes, 'mediaType'>>;
}

/** Whether this is what a file holds now. Its key tells, which is drawn here: ids are the server's, which could give one twice. */
export function isOf({ content }: OpenNode, { contentKey }: Pick<NewContent, 'contentKey'>): boolean {
  return content !== undefined && isEqual(content.manifest.contentKey, contentKey);
}

export function newContentKey(): Bytes {
  return randomBytes(KEY_BYTES);
}

/** Makes contents visible: a new file, or a new revision of one. */
export class FileWriter {
  constructor(private readonly context: WriteContext) {}

  /** @throws SdkError `exists` */
  async create(nodeId: string, file: NewContent, signal: AbortSignal): Promise<OpenNode> {
    return changing(this.context, signal, async ({ isRepeated }) => {
      const { finder } = this.context;
      const { folder: at, name } = splitPath(file.path);
      const folder = await upToDate(this.context, () => finder.folder(at, signal), signal);
      const keys = NodeKeys.fresh();
      const createdAt = this.context.now();
      const attributes = { mediaType: '', ...file.attributes, name, kind: 'file', createdAt } as const;
      const record = await newRecord(this.context, folder, { id: nodeId, keys, attributes });
      const account = this.context.keys();
      const draft = {
        ...file.content,
        nodeId,
        revisionId: file.revisionId,
        contentKey: file.contentKey,
        revision: 1,
        previousHash: NO_HASH,
        writer: writerInFolder(account, folder),
      };
      const made = { record, manifest: await makeOpenManifest(draft, keys, account.identity.signer) };
      try {
        return await this.make({ id: nodeId, name, made }, file, folder, signal);
      } catch (error) {
        if (!(isRepeated && error instanceof SdkError)) throw error;
        const there = await finder.child(at, name, signal);
        if (there === undefined || !isOf(there, file)) throw error;
        return there; // made by the attempt whose answer was lost
      }
    });
  }

  private async make(
    { id, name, made }: { readonly id: string; readonly name: string; readonly made: MadeFile },
    file: NewContent,
    folder: OpenNode,
    signal: AbortSignal,
  ): Promise<OpenNode> {
    const { calls, opener } = this.context;
    const sent = { record: made.record.bytes, manifest: made.manifest.bytes };
    const sealed = await calls.createNode({ ...sent, ...this.bodyOf(file) }, signal);
    const known = opener.asMade(sealed, placeIn(folder, childPath(folder.path, name)), made);
    return known ?? openAnswer(this.context, { sealed, id, name, sent }, folder, signal);
  }

  /** Writes the next revision of a file; with it, if it was not done yet, keys that who lost the right to read has not. */
  async revise(nodeId: string, file: NewContent, signal: AbortSignal): Promise<OpenNode> {
    return changing(this.context, signal, async () => {
      const { finder } = this.context;
      const found = await nodeUpToDate(this.context, () => finder.find(file.path, signal), signal);
      if (found?.id !== nodeId || found.content === undefined) throw new SdkError('conflict');
      if (isOf(found, file)) return this.describe(found, file, signal);
      const revision = { manifest: await this.manifestOf(found, file), ...this.bodyOf(file) };
      return this.describe(await addRevision(this.context, found, revision, signal), file, signal);
    });
  }

  private async manifestOf(node: OpenNode, { revisionId, contentKey, content }: NewContent): Promise<Bytes> {
    const account = this.context.keys();
    const before = node.content?.manifest;
    const draft = {
      ...content,
      nodeId: node.id,
      revisionId,
      contentKey,
      revision: (before?.revision ?? 0) + 1,
      previousHash: before?.hash ?? NO_HASH,
      writer: writerIn(account, node.owner.accountId, node.lists),
    };
    return makeManifest(draft, node.record.keys, account.identity.signer);
  }

  /**
   * The times and the type of a content stand in the record of its file, which is sealed by its folder's keys: of a single file that somebody shared
   * they stay as its owner wrote them.
   */
  private async describe(node: OpenNode, file: NewContent, signal: AbortSignal): Promise<OpenNode> {
    const { modifiedAt, mediaType } = node.record.attributes;
    const wanted = { mediaType, ...file.attributes };
    const isSame = wanted.modifiedAt === modifiedAt && wanted.mediaType === mediaType;
    if (isSame || isTop(file.path)) return node;
    const folder = await this.context.finder.folder(splitPath(file.path).folder, signal);
    return writeRecord(this.context, node, { folder, attributes: wanted }, signal);
  }

  private bodyOf({ inlined, content }: NewContent): Pick<NewNode, 'content' | 'digests'> {
    return inlined === undefined ? { digests: content.parts.map(({ digest }) => digest) } : { content: inlined };
  }
}

/** Writes the next revision of a file with a content that it has, or had: its key and its parts stay, and nothing is uploaded. */
export async function revisionAgain(
  context: WriteContext,
  file: OpenNode,
  { content, writer }: { readonly content: RevisionManifest; readonly writer: WriterRef },
  signal: AbortSignal,
): Promise<OpenNode> {
  const newest = file.content?.manifest;
  if (newest === undefined) throw new SdkError('not-a-file');
  const draft = { ...content, revision: newest.revision + 1, previousHash: newest.hash, writer };
  const manifest = await makeManifest(draft, file.record.keys, context.keys().identity.signer);
  return addRevision(context, file, { manifest }, signal);
}

async function addRevision(
  { calls, opener, seen }: WriteContext,
  file: OpenNode,
  revision: Omit<NewRevision, 'etag'>,
  signal: AbortSignal,
): Promise<OpenNode> {
  const sealed = await calls.addRevision(file.id, { ...revision, etag: file.etag }, signal);
  if (sealed.id !== file.id) throw new SdkError('damaged');
  await meetAcknowledged(seen, revision);
  return opener.open(sealed, file, signal);
}
