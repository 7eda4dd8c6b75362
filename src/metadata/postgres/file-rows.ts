import type { FileId, OwnerId, VersionId } from '../../common/ids.js';
import type { FileRecord, LayoutPage, Manifest, NodeUsage, StoredFile } from '../metadata-store.js';
import type { Values } from './statement.js';

/** What a list needs of a file. */
export interface FileRow {
  readonly id: FileId;
  readonly owner: OwnerId;
  readonly name: string;
  readonly content_type: string;
  readonly size: number;
  readonly created_at: number;
  readonly updated_at: number;
  readonly revision: number;
  readonly version_id: VersionId;
}

type Bytes = Uint8Array | string;

/** The whole row. It may come out of JSON, where bytes are hexadecimal text behind `\x`. */
export interface StoredRow extends FileRow {
  readonly pages: number;
  readonly sealed_size: number;
  readonly slice_bytes: number;
  readonly k: number;
  readonly m: number;
  readonly kek_id: string;
  readonly wrapped_key: Bytes;
  readonly header: Bytes;
  readonly sealed_digest: Bytes;
  readonly version_created_at: number;
  readonly usage_nodes: readonly number[];
  /** Numbers, or their digits. */
  readonly usage_shards: readonly (number | string)[];
  readonly usage_bytes: readonly (number | string)[];
  readonly record_nodes: readonly number[];
}

export const FILE_COLUMNS = 'id, owner, name, content_type, size, created_at, updated_at, revision, version_id';
export const VERSION_COLUMNS = `pages, sealed_size, slice_bytes, k, m, kek_id, wrapped_key, header, sealed_digest, version_created_at,
  usage_nodes, usage_shards, usage_bytes, record_nodes`;

export function toFile(row: FileRow): FileRecord {
  const { id, owner, name, size, revision } = row;
  return {
    id,
    owner,
    name,
    contentType: row.content_type,
    size,
    versionId: row.version_id,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    revision,
  };
}

export function toStored(row: StoredRow): StoredFile {
  return { file: toFile(row), manifest: toManifest(row) };
}

export function toManifest(row: StoredRow): Manifest {
  return {
    versionId: row.version_id,
    fileId: row.id,
    size: row.size,
    sealedSize: row.sealed_size,
    sliceBytes: row.slice_bytes,
    k: row.k,
    m: row.m,
    seal: {
      kekId: row.kek_id,
      wrappedKey: toBytes(row.wrapped_key),
      header: toBytes(row.header),
      sealedDigest: toBytes(row.sealed_digest),
    },
    usage: row.usage_nodes.map((node, at) => ({
      node,
      shards: Number(row.usage_shards[at]),
      bytes: Number(row.usage_bytes[at]),
    })),
    recordNodes: row.record_nodes,
    createdAt: row.version_created_at,
  };
}

/** A copy, which is the caller's own. */
export function toBytes(bytes: Bytes): Uint8Array {
  return new Uint8Array(typeof bytes === 'string' ? Buffer.from(bytes.slice(2), 'hex') : bytes);
}

/** The parameters that a usage is. */
export function usageValues(usage: readonly NodeUsage[]): Values {
  return {
    usageNodes: usage.map(({ node }) => node),
    usageShards: usage.map(({ shards }) => shards),
    usageBytes: usage.map(({ bytes }) => bytes),
  };
}

/** The parameters that a version is, with its last layout page. */
export function versionValues(manifest: Manifest, lastPage: LayoutPage): Values {
  const { seal } = manifest;
  return {
    versionId: manifest.versionId,
    size: manifest.size,
    sealedSize: manifest.sealedSize,
    sliceBytes: manifest.sliceBytes,
    k: manifest.k,
    m: manifest.m,
    kekId: seal.kekId,
    wrappedKey: seal.wrappedKey,
    header: seal.header,
    sealedDigest: seal.sealedDigest,
    versionCreatedAt: manifest.createdAt,
    recordNodes: manifest.recordNodes,
    ...usageValues(manifest.usage),
    lastPage: lastPage.page,
    lastBytes: lastPage.bytes,
  };
}

/** The parameters that a file is. */
export function fileValues(file: FileRecord): Values {
  return {
    id: file.id,
    owner: file.owner,
    name: file.name,
    contentType: file.contentType,
    createdAt: file.createdAt,
    updatedAt: file.updatedAt,
    revision: file.revision,
  };
}
