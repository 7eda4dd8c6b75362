import type { ByteReader, ByteWriter } from '../common/byte-codec.js';
import { idFromBytes, idToBytes, type FileId, type VersionId } from '../common/ids.js';
import type { Manifest } from './metadata-store.js';

const ID_BYTES = 16;

/** Writes a manifest as it stands in a row of the index and in a record on the nodes; its version's id stands elsewhere in both. */
export function writeManifest(writer: ByteWriter, manifest: Omit<Manifest, 'versionId'>): ByteWriter {
  const { seal } = manifest;
  writer
    .fixed(idToBytes(manifest.fileId))
    .number(manifest.size)
    .number(manifest.sealedSize)
    .number(manifest.sliceBytes)
    .number(manifest.k)
    .number(manifest.m)
    .number(manifest.createdAt)
    .text(seal.kekId)
    .bytes(seal.wrappedKey)
    .bytes(seal.header)
    .bytes(seal.sealedDigest)
    .number(manifest.usage.length);
  for (const { node, shards, bytes } of manifest.usage) writer.number(node).number(shards).number(bytes);
  return writeNumbers(writer, manifest.recordNodes);
}

export function readManifest(reader: ByteReader, versionId: VersionId): Manifest {
  const fileId = idFromBytes<FileId>(reader.fixed(ID_BYTES));
  const [size, sealedSize, sliceBytes] = [reader.number(), reader.number(), reader.number()];
  const [k, m, createdAt] = [reader.number(), reader.number(), reader.number()];
  const kekId = reader.text();
  const [wrappedKey, header, sealedDigest] = [reader.bytes(), reader.bytes(), reader.bytes()];
  const usage = readList(reader, () => ({ node: reader.number(), shards: reader.number(), bytes: reader.number() }));
  const seal = { kekId, wrappedKey, header, sealedDigest };
  return { versionId, fileId, size, sealedSize, sliceBytes, k, m, seal, usage, recordNodes: readNumbers(reader), createdAt };
}

export function writeNumbers(writer: ByteWriter, numbers: readonly number[]): ByteWriter {
  writer.number(numbers.length);
  for (const number of numbers) writer.number(number);
  return writer;
}

export function readNumbers(reader: ByteReader): number[] {
  return readList(reader, () => reader.number());
}

function readList<Item>(reader: ByteReader, read: () => Item): Item[] {
  const items: Item[] = [];
  for (let left = reader.number(); left > 0; left--) items.push(read());
  return items;
}
