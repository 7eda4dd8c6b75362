import { hash } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { newId, type FileId, type OwnerId, type VersionId } from '../common/ids.js';
import { OutcomeUnknownError } from '../common/outcome-unknown-error.js';
import { BodyDigest } from '../crypto/body-digest.js';
import { SEGMENT_OVERHEAD_BYTES } from '../crypto/floe-format.js';
import { VersionCrypto, type VersionSealing } from '../crypto/version-keys.js';
import type { FileRecord, Manifest } from '../metadata/metadata-store.js';
import type { VersionWriter } from '../redundancy/version-writer.js';
import { outcomeUnknown, type Demand } from './amend.service.js';
import { BodyWriter, INLINE_BYTES_MAX } from './body-writer.js';
import { requireDigest, type Upload } from './incoming-file.js';
import { DelegatedUploads } from './delegated-uploads.service.js';
import { SealedBody } from './sealed-body.js';
import { SmallFileCache, type SmallVersion } from './small-file-cache.js';
import { VersionCommitter, type VersionDraft } from './version-committer.js';

const INLINE_PLAIN_BYTES_MAX = INLINE_BYTES_MAX - SEGMENT_OVERHEAD_BYTES;
/** Time for the index to take note of an upload that failed. The request's own signal is of no use then: it may be why. */
const ABANDON_MS = 30_000;

export interface NewFile {
  readonly owner: OwnerId;
  readonly id?: FileId;
}

/** What only the end of a body tells of it. */
type Body = Pick<Manifest, 'size' | 'sealedSize' | 'sliceBytes' | 'seal'> & { readonly small?: SmallVersion };

interface StoredBody extends Pick<Manifest, 'size' | 'sealedSize' | 'sliceBytes'> {
  /** SHA-256 of the plaintext. */
  readonly sum: Uint8Array;
  /** All of the sealed body, if it rides in the record. */
  readonly sealed: Uint8Array | undefined;
}

/** The way in: request ─▶ seal ─▶ slice ─▶ redundancy ─▶ nodes, and then once: the index. */
@Injectable()
export class UploadService {
  private readonly logger = new Logger(UploadService.name);

  constructor(
    private readonly committer: VersionCommitter,
    private readonly cache: SmallFileCache,
    private readonly delegated: DelegatedUploads,
  ) {}

  private get bodies(): BodyWriter {
    return this.delegated.bodies;
  }

  private get crypto(): VersionCrypto {
    return this.delegated.crypto;
  }

  /**
   * Stores a new file. Resolves when it is durable on all its nodes and in the index; if it throws anything but `outcome-unknown`, nothing
   * of it is left.
   * @param as whose it is, and its id if that was given out before: of `newId`, and never used for anything
   */
  async create(upload: Upload, { owner, id = newId<FileId>() }: NewFile, signal: AbortSignal): Promise<FileRecord> {
    return this.store(upload, { fileId: id, owner, replaces: false }, signal);
  }

  /** Gives a file new content; until that is durable the old one is served. @param demand what the file must be then */
  async replace(id: FileId, upload: Upload, demand: Demand, signal: AbortSignal): Promise<FileRecord> {
    return this.store(upload, { fileId: id, replaces: true, ...demand }, signal);
  }

  private async store(
    upload: Upload,
    target: Pick<VersionDraft, 'fileId' | 'owner' | 'prefix' | 'replaces' | 'expected'>,
    signal: AbortSignal,
  ): Promise<FileRecord> {
    const versionId = newId<VersionId>();
    const writer = this.committer.writer(versionId);
    try {
      const { small, ...body } = await this.write(target.fileId, upload, writer, signal);
      const { fileId } = target;
      const manifest = { versionId, fileId, ...body, ...writer.shape, createdAt: Date.now() };
      signal.throwIfAborted(); // a client that has left does not see the answer: then the file should not be there
      const { name, contentType } = upload;
      const file = await this.committer.commit({ ...target, name, contentType, manifest }, writer, signal);
      writer.committed();
      if (small !== undefined) this.cache.add(versionId, small);
      return file;
    } catch (error) {
      if (error instanceof OutcomeUnknownError) void this.settle(target.fileId, writer, error);
      else await this.abandon(target.fileId, writer, error);
      throw error;
    }
  }

  /** What may be a file is held until it is known whether it is one. Never rejects. */
  private async settle(fileId: FileId, writer: VersionWriter, doubt: OutcomeUnknownError): Promise<void> {
    try {
      if (await doubt.isMade) writer.committed();
      else await this.abandon(fileId, writer, doubt);
    } catch (error) {
      this.logger.error({ err: error, versionId: writer.versionId }, 'an upload in doubt failed in the end');
    }
  }

  /**
   * First the nodes must know better than the record of the version, if they may have it; only then its shards may go.
   * @throws DomainError `outcome-unknown` if they could not be told
   */
  private async abandon(fileId: FileId, writer: VersionWriter, cause: unknown): Promise<void> {
    try {
      if (writer.isRecorded) await this.committer.takeBack(fileId);
    } catch (error) {
      writer.leave();
      this.logger.error(
        { err: error, versionId: writer.versionId },
        'an upload that failed is left to the next walk over the nodes',
      );
      throw outcomeUnknown(cause);
    }
    try {
      await writer.abandon(AbortSignal.timeout(ABANDON_MS));
    } catch (error) {
      // Its shards are orphans now, which the next walk over the nodes finds; the client is to hear why the upload failed.
      this.logger.error({ err: error, versionId: writer.versionId }, 'an upload that failed could not be taken back at once');
    }
  }

  /** One pass over the body: counted, digested, sealed, cut and stored; or kept, if it is small enough to be stored with its record. */
  private async write(fileId: FileId, upload: Upload, writer: VersionWriter, signal: AbortSignal): Promise<Body> {
    const stored = await this.delegated.store(fileId, upload, writer, signal);
    if (stored !== undefined) return stored;
    const { sealer, finishSeal, toOpening } = this.crypto.seal(fileId, writer.versionId);
    const { whole } = upload;
    const isAtHand = whole !== undefined && whole.length <= INLINE_PLAIN_BYTES_MAX;
    const { sum, sealed, ...sizes } = isAtHand
      ? this.rideWhole(whole, sealer, writer)
      : await this.stream(upload, sealer, writer, signal);
    requireDigest(sum, upload.expectedDigest);
    const seal = finishSeal(sum);
    if (sealed === undefined) return { ...sizes, seal };
    return { ...sizes, seal, small: { sealed, opening: toOpening(sum) } };
  }

  private async stream(
    { body: source, whole }: Upload,
    sealer: VersionSealing['sealer'],
    writer: VersionWriter,
    signal: AbortSignal,
  ): Promise<StoredBody> {
    // Who has it at hand may need it yet.
    const digest = new BodyDigest(whole === undefined ? {} : { thread: null, letGo: () => undefined });
    const body = new SealedBody(source, sealer, digest);
    const { sliceBytes, riding } = await this.bodies.write(body.stream(), writer, signal);
    return { ...body.sizes, sliceBytes, sealed: riding, sum: await body.sum() };
  }

  /** What {@link stream} does, for a small body that is at hand. */
  private rideWhole(whole: Uint8Array, sealer: VersionSealing['sealer'], writer: VersionWriter): StoredBody {
    const sealed = Buffer.concat([...sealer.push(whole), ...sealer.finish()]);
    const { sliceBytes } = this.bodies.ride(sealed, writer);
    return { size: whole.length, sealedSize: sealed.length, sliceBytes, sealed, sum: hash('sha256', whole, 'buffer') };
  }
}
