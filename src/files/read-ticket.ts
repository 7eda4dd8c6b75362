import { ByteReader, ByteWriter } from '../common/byte-codec.js';
import type { ByteRange } from '../common/byte-range.js';
import { idFromBytes, idToBytes, type LeaseId, type VersionId } from '../common/ids.js';
import { readManifest, writeManifest } from '../metadata/manifest-codec.js';
import type { Manifest } from '../metadata/metadata-store.js';

/** What a peer needs to read a part of a version itself. There is no key in it but a wrapped one. */
export interface ReadTicket {
  /** Names the lease by which the gateway keeps the version from being deleted. */
  readonly lease: LeaseId;
  readonly range: ByteRange;
  readonly manifest: Manifest;
}

const FORMAT = 1;
const ID_BYTES = 16;

export function encodeTicket({ lease, range, manifest }: ReadTicket): Uint8Array {
  const writer = new ByteWriter().number(FORMAT).fixed(idToBytes(lease)).number(range.from).number(range.to);
  return writeManifest(writer.fixed(idToBytes(manifest.versionId)), manifest).finish();
}

/** @throws Error for what is no ticket of this format */
export function decodeTicket(bytes: Uint8Array): ReadTicket {
  const reader = new ByteReader(bytes);
  if (reader.number() !== FORMAT) throw new Error('the ticket has another format');
  const lease = idFromBytes<LeaseId>(reader.fixed(ID_BYTES));
  const range = { from: reader.number(), to: reader.number() };
  const manifest = readManifest(reader, idFromBytes<VersionId>(reader.fixed(ID_BYTES)));
  reader.end();
  return { lease, range, manifest };
}
