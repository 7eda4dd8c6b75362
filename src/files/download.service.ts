import { Injectable } from '@nestjs/common';
import type { ByteRange } from '../common/byte-range.js';
import { DomainError } from '../common/errors.js';
import { tryOpen } from '../crypto/open-stream.js';
import { VersionCrypto, type VersionOpening } from '../crypto/version-keys.js';
import { type FileRecord, type Manifest, MetadataStore, type StoredFile } from '../metadata/metadata-store.js';
import { RedundancyService } from '../redundancy/redundancy.service.js';
import { BodyReader, type ReadableVersion } from './body-reader.js';
import { type FileTarget, isReached } from './owner-of.js';
import { SmallFileCache } from './small-file-cache.js';

/** Sealed bytes that are read as one piece, and are no more than one segment. */
const SMALL_BYTES_MAX = 64 * 1024;

/** A version that is kept from being deleted until `release` is called. */
export interface OpenFile extends ReadableVersion {
  readonly file: FileRecord;
  readonly release: () => void;
}

/** The way out: index ─▶ body ─▶ response. */
@Injectable()
export class DownloadService {
  private readonly bodies: BodyReader;

  constructor(
    private readonly metadata: MetadataStore,
    private readonly crypto: VersionCrypto,
    private readonly redundancy: RedundancyService,
    private readonly cache: SmallFileCache,
  ) {
    this.bodies = new BodyReader(redundancy.slices);
  }

  /** Finds a file and holds its present version. @throws DomainError `file-not-found` */
  async open(target: FileTarget, signal: AbortSignal): Promise<OpenFile> {
    const open = await this.openFound(() => this.metadata.find(target.id, signal), signal);
    if (open !== undefined && isReached(open.file, target)) return open;
    open?.release();
    throw new DomainError('file-not-found', 'no file has this id');
  }

  /** Holds the present version of what is found, if anything is. @param find looks for it, again if it has changed by then */
  async openFound(find: () => Promise<StoredFile | undefined>, signal: AbortSignal): Promise<OpenFile | undefined> {
    for (;;) {
      const stored = await find();
      if (stored === undefined) return undefined;
      const { versionId } = stored.manifest;
      const release = this.redundancy.hold(versionId);
      // Replaced between the finding and the holding: its shards may be gone already.
      if (await this.metadata.isCommitted(versionId, signal))
        return { ...stored, unseal: once(() => this.cache.get(versionId)?.opening ?? this.unseal(stored.manifest)), release };
      release();
    }
  }

  /** SHA-256 of the whole content. */
  digest({ unseal }: OpenFile): Uint8Array {
    return unseal().digest();
  }

  /**
   * The content of a file that is one slice and one segment, as most files are: without the streams that larger ones need. Undefined for
   * any other file, and for one whose bytes do not authenticate: {@link read} then looks for better ones.
   */
  async small({ manifest, unseal }: OpenFile, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const { sealedSize, sliceBytes, k } = manifest;
    if (k !== 1 || sealedSize > Math.min(sliceBytes, SMALL_BYTES_MAX)) return undefined;
    const opening = unseal();
    const cached = this.cache.get(manifest.versionId)?.sealed;
    const sealed = cached ?? (await this.bodies.slices.only(manifest, signal));
    const plain = await tryOpen(opening.opener, sealed, { position: 0, final: true });
    if (plain === undefined) this.cache.forget(manifest.versionId);
    else if (cached === undefined) this.cache.add(manifest.versionId, { sealed, opening });
    return plain;
  }

  /** See {@link BodyReader.read}. */
  read(open: OpenFile, range: ByteRange, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    return this.bodies.read(open, range, signal);
  }

  private unseal({ fileId, versionId, seal }: Manifest): VersionOpening {
    return this.crypto.open({ fileId, versionId }, seal);
  }
}

function once<Value extends object>(make: () => Value): () => Value {
  let made: Value | undefined;
  return () => (made ??= make());
}
