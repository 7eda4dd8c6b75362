import assert from 'node:assert';
import { Injectable } from '@nestjs/common';
import { DomainError } from '../common/errors.js';
import type { FileId } from '../common/ids.js';
import { AppConfig } from '../config/app-config.js';
import { sealedSizeOf } from '../crypto/floe-sizes.js';
import { VersionCrypto } from '../crypto/version-keys.js';
import type { Manifest } from '../metadata/metadata-store.js';
import { STRIPES_PER_PAGE } from '../redundancy/layout.js';
import { shardBytes } from '../redundancy/shard-bytes.js';
import type { VersionWriter } from '../redundancy/version-writer.js';
import { BodyWriter } from './body-writer.js';
import { requireDigest, type Upload } from './incoming-file.js';
import { decodeStoreReport, encodeStoreTicket, type StoreReport } from './store-ticket.js';

type StoredBody = Pick<Manifest, 'size' | 'sealedSize' | 'sliceBytes' | 'seal'>;

/** How the stripes of a body of known length are cut. */
interface Cut {
  readonly sliceBytes: number;
  readonly sealedSize: number;
  readonly stripes: number;
}

/**
 * Lets the peer through which an upload comes seal its body and put it on the nodes, so that the bytes of large files do not pass the gateway
 * (docs/adr/0026). Whether it may come, on which nodes it counts, and when it becomes a file is decided here, as for any other upload.
 */
@Injectable()
export class DelegatedUploads {
  private readonly bytesMin: number;

  constructor(
    { limits }: AppConfig,
    readonly bodies: BodyWriter,
    readonly crypto: VersionCrypto,
  ) {
    this.bytesMin = limits.delegate_bytes_min;
  }

  /**
   * Resolves when all of the body is durable on its nodes; with undefined if it is to be stored here.
   * @throws DomainError as the peer met it; `invalid-digest`
   */
  async store(
    fileId: FileId,
    { delegate, bytes = 0, expectedDigest }: Upload,
    writer: VersionWriter,
    signal: AbortSignal,
  ): Promise<StoredBody | undefined> {
    if (delegate === undefined || this.bytesMin === 0 || bytes < this.bytesMin) return undefined;
    const cut = this.cut(bytes, writer);
    // Of more stripes the layout would have to be kept while they come.
    if (cut.stripes > STRIPES_PER_PAGE) return undefined;
    const { versionId, shape } = writer;
    const { sliceBytes } = cut;
    const files = await writer.reserve(cut.stripes);
    const ticket = { fileId, versionId, ...shape, sliceBytes, bytes, kekId: this.crypto.activeKeyId, files };
    const answer = await delegate.hand(encodeStoreTicket(ticket));
    if (answer === undefined) {
      writer.unreserve();
      return undefined;
    }
    const report = decodeStoreReport(answer);
    requireRows(report, writer);
    // Before anything can fail: who abandons it has to know what lies where.
    await writer.adopt(report, (stripe, index) => shardBytes({ ...shape, ...cut }, { stripe, index }), signal);
    if (report.kind === 'failed') throw new DomainError(report.code, report.detail);
    const { size, sealedSize } = report;
    assert(size === bytes && sealedSize === cut.sealedSize && report.rows.length === cut.stripes, 'a body of another length');
    const { seal, sum } = this.crypto.adopt({ fileId, versionId }, report.seal);
    requireDigest(sum, expectedDigest);
    return { size, sealedSize, sliceBytes, seal };
  }

  private cut(bytes: number, writer: VersionWriter): Cut {
    const sealedSize = sealedSizeOf(bytes);
    const sliceBytes = this.bodies.prepare(sealedSize, writer);
    return { sealedSize, sliceBytes, stripes: Math.ceil(Math.ceil(sealedSize / sliceBytes) / writer.shape.k) };
  }
}

/** Each shard of a stripe has to lie on a node of its own. */
function requireRows({ rows }: StoreReport, { shape: { k, m } }: VersionWriter): void {
  for (const row of rows) assert(row.length === k + m && new Set(row).size === row.length, 'a stripe that is none');
}
