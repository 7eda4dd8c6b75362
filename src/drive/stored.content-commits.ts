import { Injectable, Logger } from '@nestjs/common';
import { DomainError } from '../common/errors.js';
import { checkManifestSignature, readManifestHead, type ManifestHead } from '../sdk/revision-manifest.js';
import { ContentCommits, type FirstContent } from './content-commits.js';
import { ContentWriter } from './content-writer.js';
import { invalidRecord, readSent } from './invalid-record.js';
import type { CurrentContent } from './stored-node.js';
import { UploadGate } from './upload-gate.js';
import type { OpenUpload } from './uploads.js';
import { WriterCheck } from './writer-check.js';

const FIRST = 1;
/** Time to remove what was uploaded in vain. The request is answered by what came of the file. */
const DISCARD_MS = 30_000;

/** The first contents of files, as documents of the drive. */
@Injectable()
export class StoredContentCommits extends ContentCommits {
  private readonly logger = new Logger(StoredContentCommits.name);

  constructor(
    private readonly writer: ContentWriter,
    private readonly check: WriterCheck,
    private readonly gate: UploadGate,
  ) {
    super();
  }

  override async first<Made>(
    first: FirstContent,
    make: (content: CurrentContent) => Promise<Made>,
    signal: AbortSignal,
  ): Promise<Made> {
    const { nodeId, manifest, content, digests, place, reach } = first;
    const head = readSent('manifest', () => readManifestHead(manifest));
    requireFirst(head, first);
    const verify = (key: Uint8Array): Promise<void> => checkManifestSignature(manifest, key);
    const caller = await this.check.check({ writer: head.writer, verify }, reach, place, signal);
    const parentId = place.way[0]?.id;
    const isFor = (upload: OpenUpload): boolean => upload.by === caller && upload.parentId === parentId;
    const { account } = place;
    return this.writer.turns.take(nodeId, async () => {
      const begun = first.isIssued ? [] : await this.begun({ account, nodeId, isFor }, signal);
      if (!first.isIssued && begun.length === 0)
        throw new DomainError('id-not-issued', 'the id of the node was not given out, neither alone nor with an upload');
      const next = { account, nodeId, manifest, head, current: undefined, content, digests, isFor };
      const made = await this.writer.write(next, make, signal);
      // A file that turned out small came with its manifest: what was begun for it is not needed.
      for (const upload of begun) if (upload.id !== head.revisionId) await this.discard(upload);
      return made;
    });
  }

  private async begun(
    { account, nodeId, isFor }: Pick<OpenUpload, 'account' | 'nodeId'> & { readonly isFor: (upload: OpenUpload) => boolean },
    signal: AbortSignal,
  ): Promise<readonly OpenUpload[]> {
    const { uploads } = this.writer;
    const begun: OpenUpload[] = [];
    for (const { id } of await uploads.of(account, nodeId, signal)) {
      const upload = await uploads.find(id, signal);
      if (upload !== undefined && isFor(upload)) begun.push(upload);
    }
    return begun;
  }

  /** The file is there by now: that something is left for the sweep is no failure of making it. */
  private async discard(upload: OpenUpload): Promise<void> {
    const signal = AbortSignal.timeout(DISCARD_MS);
    try {
      await this.gate.alone(upload.id, () => this.writer.uploads.discard(upload, signal));
    } catch (cause) {
      this.logger.warn({ err: cause }, 'an upload that is not needed is left to the sweep');
    }
  }
}

function requireFirst(head: ManifestHead, { nodeId, generation }: FirstContent): void {
  if (head.nodeId !== nodeId || head.generation !== generation)
    throw invalidRecord('the manifest is of another node, or under other keys, than the record');
  if (head.revision !== FIRST || head.previousHash.some((byte) => byte !== 0))
    throw invalidRecord('the manifest is not that of a first content');
}
