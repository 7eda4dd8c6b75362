import { Injectable, Logger } from '@nestjs/common';
import { join, slicesCovering, type SliceSpan } from '../chunking/slices.js';
import type { ByteRange } from '../common/byte-range.js';
import { DomainError } from '../common/errors.js';
import { plainSegmentBytes, sealedRangeOf, segmentsOf } from '../crypto/floe-sizes.js';
import { openSegments, tryOpen } from '../crypto/open-stream.js';
import { VersionCrypto, type VersionOpening } from '../crypto/version-keys.js';
import { type FileRecord, type Manifest, MetadataStore, type StoredFile } from '../metadata/metadata-store.js';
import { RedundancyService } from '../redundancy/redundancy.service.js';
import { type FileTarget, isReached } from './owner-of.js';
import { SmallFileCache } from './small-file-cache.js';

/** Sealed bytes that are read as one piece, and are no more than one segment. */
const SMALL_BYTES_MAX = 64 * 1024;

/** A version that is kept from being deleted until `release` is called. */
export interface OpenFile {
  readonly file: FileRecord;
  readonly manifest: Manifest;
  /** Unwraps its key; once, when it is first needed. */
  readonly unseal: () => VersionOpening;
  readonly release: () => void;
}

/** The way out: index ─▶ nodes ─▶ redundancy ─▶ join ─▶ open ─▶ response. */
@Injectable()
export class DownloadService {
  private readonly logger = new Logger(DownloadService.name);

  constructor(
    private readonly metadata: MetadataStore,
    private readonly crypto: VersionCrypto,
    private readonly redundancy: RedundancyService,
    private readonly cache: SmallFileCache,
  ) {}

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
    const sealed = cached ?? (await this.redundancy.readOnly(manifest, signal));
    const plain = await tryOpen(opening.opener, sealed, { position: 0, final: true });
    if (plain === undefined) this.cache.forget(manifest.versionId);
    else if (cached === undefined) this.cache.add(manifest.versionId, { sealed, opening });
    return plain;
  }

  /** The bytes of a range, each of them authenticated before it is yielded. Only the slices that it needs are read. */
  async *read(
    { manifest, unseal }: OpenFile,
    range: ByteRange,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    if (range.to <= range.from) return;
    const segments = segmentsOf(range);
    const sealed = sealedRangeOf(segments, manifest.sealedSize);
    const plain = openSegments(this.sealedBytes(manifest, sealed, signal), unseal().opener, {
      sealedSize: manifest.sealedSize,
      firstSegment: segments.first,
      lastSegment: segments.last,
      recover: (from, to) => this.otherReadings(manifest, { from, to }, signal),
    });
    yield* join(plain, { skip: range.from - segments.first * plainSegmentBytes(), length: range.to - range.from });
  }

  private sealedBytes(manifest: Manifest, range: ByteRange, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const span = slicesCovering(range, manifest.sliceBytes);
    return joined(this.redundancy.read(manifest, span, signal), span, range);
  }

  /** The same range as other sets of nodes have it, for bytes that do not authenticate. */
  private async *otherReadings(
    manifest: Manifest,
    range: ByteRange,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    this.logger.warn(
      { versionId: manifest.versionId, ...range },
      'a node gave bytes that do not authenticate: reading without it',
    );
    const span = slicesCovering(range, manifest.sliceBytes);
    for await (const slices of this.redundancy.readings(manifest, span, signal)) {
      try {
        yield await copied(joined(slices, span, range), range.to - range.from);
      } catch (error) {
        if (!(error instanceof DomainError)) throw error; // without these nodes it cannot be read at all: the next set
      }
    }
  }

  private unseal({ fileId, versionId, seal }: Manifest): VersionOpening {
    return this.crypto.open({ fileId, versionId }, seal);
  }
}

/** The bytes of a range, out of the slices that cover it. */
function joined(slices: AsyncIterable<Uint8Array>, { skip }: SliceSpan, { from, to }: ByteRange): AsyncIterable<Uint8Array> {
  return join(slices, { skip, length: to - from });
}

/** Bytes that come in pieces, each of which is valid until the next one. */
async function copied(pieces: AsyncIterable<Uint8Array>, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  for await (const piece of pieces) {
    bytes.set(piece, filled);
    filled += piece.length;
  }
  return bytes.subarray(0, filled);
}

function once<Value extends object>(make: () => Value): () => Value {
  let made: Value | undefined;
  return () => (made ??= make());
}
