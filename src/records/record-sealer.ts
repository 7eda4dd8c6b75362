import { Injectable } from '@nestjs/common';
import { ByteReader, ByteWriter } from '../common/byte-codec.js';
import { DomainError } from '../common/errors.js';
import type { FileId, VersionId } from '../common/ids.js';
import { RecordCrypto, type RecordBinding } from '../crypto/record-crypto.js';
import { readNumbers, writeNumbers } from '../metadata/manifest-codec.js';
import type { ImportedRecord, LayoutPage, Tombstone } from '../metadata/metadata-store.js';
import { decodeStatement, encodeStatement, type FileStatement } from '../metadata/record-codec.js';
import type { NodeRecord } from '../nodes/storage-node.js';

/** Where a page of a layout belongs. */
export interface PageOwner {
  readonly fileId: FileId;
  readonly versionId: VersionId;
  readonly revision: number;
  readonly kekId: string;
}

/** What a record says, once it is opened. */
export type OpenedRecord = ImportedRecord;

const TOMBSTONE_FORMAT = 1;

/** Makes the records that nodes keep of files, and reads them back: sealed, so that a node learns nothing and can forge nothing. */
@Injectable()
export class RecordSealer {
  constructor(private readonly crypto: RecordCrypto) {}

  /** The key for what names none itself. */
  get activeKekId(): string {
    return this.crypto.activeKekId;
  }

  /** The record of a version, sealed under the key that wraps the version's own. */
  manifest(statement: FileStatement): NodeRecord {
    const { file, manifest } = statement;
    const head = { kind: 'manifest', fileId: file.id, id: manifest.versionId, page: 0, revision: file.revision } as const;
    return this.seal(head, encodeStatement(statement), manifest.seal.kekId);
  }

  /** A page of a layout but the last, which stands in the manifest. On nodes these pages count from 1. */
  page({ fileId, versionId, revision, kekId }: PageOwner, { page, bytes }: LayoutPage): NodeRecord {
    return this.seal({ kind: 'layout', fileId, id: versionId, page: page + 1, revision }, bytes, kekId);
  }

  tombstone({ fileId, revision, kekId, nodes }: Tombstone): NodeRecord {
    const plain = writeNumbers(new ByteWriter().number(TOMBSTONE_FORMAT), nodes).finish();
    return this.seal({ kind: 'tombstone', fileId, id: fileId, page: 0, revision }, plain, kekId);
  }

  /** True if it is sealed by a key that was made after all that the key ring holds. */
  isFromLater({ bytes }: NodeRecord): boolean {
    return this.crypto.isNewer(this.crypto.keyOf(bytes));
  }

  /** @throws DomainError `data-damaged` if it is not what it is said to be, `key-missing` */
  open(record: NodeRecord): OpenedRecord {
    const { plain, kekId } = this.crypto.open(record, record.bytes);
    try {
      return read(record, plain, kekId);
    } catch (cause) {
      throw new DomainError('data-damaged', 'a record opens and does not say what it should', { cause });
    }
  }

  private seal(head: RecordBinding & Omit<NodeRecord, 'bytes'>, plain: Uint8Array, kekId: string): NodeRecord {
    return { ...head, bytes: this.crypto.seal(head, plain, kekId) };
  }
}

function read(record: NodeRecord, plain: Uint8Array, kekId: string): OpenedRecord {
  const { fileId, revision } = record;
  if (record.kind === 'layout')
    return { kind: 'layout', versionId: record.id as VersionId, page: { page: record.page - 1, bytes: plain }, revision };
  if (record.kind === 'tombstone')
    return { kind: 'tombstone', tombstone: { fileId, revision, kekId, nodes: readTombstone(plain) } };
  const statement = decodeStatement(plain);
  const { file } = statement;
  if (file.id !== fileId || file.versionId !== record.id || file.revision !== revision)
    throw new Error('a record speaks of another file, version or revision');
  return { kind: 'file', ...statement };
}

function readTombstone(plain: Uint8Array): readonly number[] {
  const reader = new ByteReader(plain);
  if (reader.number() !== TOMBSTONE_FORMAT) throw new Error('a tombstone has a format that is not known');
  const nodes = readNumbers(reader);
  reader.end();
  return nodes;
}
