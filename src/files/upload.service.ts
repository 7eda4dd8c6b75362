import { createHash, timingSafeEqual } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { Chunker } from '../chunking/chunker.js';
import { DomainError } from '../common/errors.js';
import { newId, type FileId, type VersionId } from '../common/ids.js';
import { sealStream } from '../crypto/open-stream.js';
import { VersionCrypto } from '../crypto/version-keys.js';
import type { Commit, FileRecord, Manifest } from '../metadata/metadata-store.js';
import { RedundancyService } from '../redundancy/redundancy.service.js';
import type { VersionWriter } from '../redundancy/version-writer.js';
import type { Upload } from './incoming-file.js';
import { VersionCommitter } from './version-committer.js';

const DEFAULT_CONTENT_TYPE = 'application/octet-stream';
/** Time for the index to take note of an upload that failed. The request's own signal is of no use then: it may be why. */
const ABANDON_MS = 30_000;

/** What only the end of a body tells of it. */
type Body = Pick<Manifest, 'size' | 'sealedSize' | 'seal'>;

/** The way in: request ─▶ seal ─▶ slice ─▶ redundancy ─▶ nodes, and then once: the index. */
@Injectable()
export class UploadService {
  private readonly logger = new Logger(UploadService.name);

  constructor(
    private readonly chunker: Chunker,
    private readonly crypto: VersionCrypto,
    private readonly redundancy: RedundancyService,
    private readonly committer: VersionCommitter,
  ) {}

  /** Stores a new file. Resolves when it is durable on all its nodes and in the index; if it throws, nothing of it is left. */
  async create(upload: Upload, signal: AbortSignal): Promise<FileRecord> {
    const id = newId<FileId>();
    return this.store(id, upload, signal, (manifest) => ({
      kind: 'create',
      manifest,
      file: {
        id,
        name: upload.name ?? id,
        contentType: upload.contentType ?? DEFAULT_CONTENT_TYPE,
        size: manifest.size,
        versionId: manifest.versionId,
        createdAt: manifest.createdAt,
        updatedAt: manifest.createdAt,
      },
    }));
  }

  /** Gives a file new content; until that is durable the old one is served. @param expected the version that must be current then */
  async replace(id: FileId, upload: Upload, expected: VersionId | undefined, signal: AbortSignal): Promise<FileRecord> {
    return this.store(id, upload, signal, (manifest) => ({
      kind: 'replace',
      manifest,
      fileId: id,
      updatedAt: manifest.createdAt,
      ...(upload.name === undefined ? {} : { name: upload.name }),
      ...(upload.contentType === undefined ? {} : { contentType: upload.contentType }),
      ...(expected === undefined ? {} : { expected }),
    }));
  }

  private async store(
    fileId: FileId,
    upload: Upload,
    signal: AbortSignal,
    toCommit: (manifest: Manifest) => DistributiveOmit<Commit, 'lastPage'>,
  ): Promise<FileRecord> {
    const versionId = newId<VersionId>();
    const writer = this.redundancy.writer(versionId);
    try {
      const body = await this.write(fileId, upload, writer, signal);
      const manifest: Manifest = {
        versionId,
        fileId,
        ...body,
        sliceBytes: this.chunker.sliceBytes,
        ...writer.shape,
        usage: writer.usage(),
        createdAt: Date.now(),
      };
      signal.throwIfAborted(); // a client that has left does not see the answer: then the file should not be there
      const file = await this.committer.commit({ ...toCommit(manifest), lastPage: writer.lastPage() }, signal);
      writer.committed();
      return file;
    } catch (error) {
      await this.abandon(writer);
      throw error;
    }
  }

  private async abandon(writer: VersionWriter): Promise<void> {
    try {
      await writer.abandon(AbortSignal.timeout(ABANDON_MS));
    } catch (error) {
      // Its shards are orphans now, which the next walk over the nodes finds; the client is to hear why the upload failed.
      this.logger.error({ err: error, versionId: writer.versionId }, 'an upload that failed could not be taken back at once');
    }
  }

  /** One pass over the body: counted, digested, sealed, cut and stored. */
  private async write(fileId: FileId, upload: Upload, writer: VersionWriter, signal: AbortSignal): Promise<Body> {
    const { sealer, finishSeal } = this.crypto.seal(fileId, writer.versionId);
    const plain = new Measure();
    const sealed = new Measure();
    const digest = createHash('sha256');
    const body = plain.through(upload.body, (chunk) => digest.update(chunk));
    const slices = this.chunker.slice(sealed.through(sealStream(body, sealer)));
    await writer.write(slices, this.redundancy.width(this.chunker.sliceBytes), signal);
    const sum = digest.digest();
    if (upload.expectedDigest !== undefined && !timingSafeEqual(sum, upload.expectedDigest)) {
      throw new DomainError('invalid-digest', 'the bytes that arrived have another SHA-256 than was announced');
    }
    return { size: plain.bytes, sealedSize: sealed.bytes, seal: finishSeal(sum) };
  }
}

type DistributiveOmit<Type, Key extends PropertyKey> = Type extends unknown ? Omit<Type, Key> : never;

/** Counts the bytes of a stream that passes through. */
class Measure {
  bytes = 0;

  async *through(
    source: AsyncIterable<Uint8Array>,
    see?: (chunk: Uint8Array) => void,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of source) {
      this.bytes += chunk.length;
      see?.(chunk);
      yield chunk;
    }
  }
}
