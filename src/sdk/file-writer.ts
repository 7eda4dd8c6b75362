import { isEqual, randomBytes, type Bytes } from './bytes.js';
import type { SealedContent } from './content.js';
import { changing, nodeUpToDate, upToDate, writerIn, writerInFolder, type WriteContext } from './drive-context.js';
import type { NodeAttributes } from './drive-attributes.js';
import type { NewNode } from './drive-calls.js';
import { NodeKeys } from './drive-keys.js';
import type { DrivePath } from './drive-path.js';
import { SdkError } from './errors.js';
import { KEY_BYTES } from './hkdf.js';
import type { OpenNode } from './open-node.js';
import { newRecord, openAnswer, writeRecord } from './record-writer.js';
import { makeManifest } from './revision-manifest.js';
import { NO_HASH } from './succession.js';

/** A content that is sealed, and where it is to be. */
export interface NewContent {
  readonly at: { readonly folder: DrivePath; readonly name: string };
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
      const { finder, calls } = this.context;
      const { folder: at, name } = file.at;
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
      const manifest = await makeManifest(draft, keys, account.identity.signer);
      try {
        const sealed = await calls.createNode({ record, manifest, ...this.bodyOf(file) }, signal);
        return await openAnswer(this.context, { sealed, id: nodeId, name, sent: { record, manifest } }, folder, signal);
      } catch (error) {
        if (!(isRepeated && error instanceof SdkError)) throw error;
        const there = await finder.child(at, name, signal);
        if (there === undefined || !isOf(there, file)) throw error;
        return there; // made by the attempt whose answer was lost
      }
    });
  }

  /** Writes the next revision of a file; with it, if it was not done yet, keys that who lost the right to read has not. */
  async revise(nodeId: string, file: NewContent, signal: AbortSignal): Promise<OpenNode> {
    return changing(this.context, signal, async () => {
      const { finder, calls } = this.context;
      const find = (): Promise<OpenNode | undefined> => finder.child(file.at.folder, file.at.name, signal);
      const found = await nodeUpToDate(this.context, find, signal);
      const folder = await finder.folder(file.at.folder, signal);
      if (found?.id !== nodeId || found.content === undefined) throw new SdkError('conflict');
      if (isOf(found, file)) return this.describe(found, folder, { file, signal });
      const manifest = await this.manifestOf(found, file);
      const sealed = await calls.addRevision(nodeId, { manifest, ...this.bodyOf(file), etag: found.etag }, signal);
      const answer = { sealed, id: nodeId, name: file.at.name, sent: { manifest } };
      const written = await openAnswer(this.context, answer, folder, signal);
      return this.describe(written, folder, { file, signal });
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

  /** The times and the type of a content stand in the record of its file. */
  private async describe(
    node: OpenNode,
    folder: OpenNode,
    { file, signal }: { readonly file: NewContent; readonly signal: AbortSignal },
  ): Promise<OpenNode> {
    const { modifiedAt, mediaType } = node.record.attributes;
    const wanted = { mediaType, ...file.attributes };
    if (wanted.modifiedAt === modifiedAt && wanted.mediaType === mediaType) return node;
    return writeRecord(this.context, node, { folder, attributes: wanted }, signal);
  }

  private bodyOf({ inlined, content }: NewContent): Pick<NewNode, 'content' | 'digests'> {
    return inlined === undefined ? { digests: content.parts.map(({ digest }) => digest) } : { content: inlined };
  }
}
