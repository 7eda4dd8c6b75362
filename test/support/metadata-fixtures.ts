import { randomBytes } from 'node:crypto';
import { newId, STORE_OWNER } from '../../src/common/ids.js';
import type { FileId, OwnerId, VersionId } from '../../src/common/ids.js';
import type {
  Amendment,
  Commit,
  FileRecord,
  LayoutPage,
  Manifest,
  MetadataStore,
  NodeUsage,
  Relocation,
  StoredFile,
} from '../../src/metadata/metadata-store.js';

export const NEVER = new AbortController().signal;

export interface ManifestSketch {
  readonly owner?: OwnerId;
  readonly size?: number;
  readonly kekId?: string;
  readonly usage?: readonly NodeUsage[];
}

export const USAGE: readonly NodeUsage[] = [
  { node: 1, shards: 3, bytes: 3_000 },
  { node: 4, shards: 2, bytes: 2_000 },
];

export function makeManifest(fileId: FileId, sketch: ManifestSketch = {}): Manifest {
  const size = sketch.size ?? 1_000;
  return {
    versionId: newId<VersionId>(),
    fileId,
    size,
    sealedSize: size + 90,
    sliceBytes: 1_048_576,
    k: 1,
    m: 1,
    seal: {
      kekId: sketch.kekId ?? 'key-1',
      wrappedKey: Uint8Array.from(randomBytes(61)),
      header: Uint8Array.from(randomBytes(74)),
      sealedDigest: Uint8Array.from(randomBytes(60)),
    },
    usage: sketch.usage ?? USAGE,
    recordNodes: (sketch.usage ?? USAGE).map(({ node }) => node),
    createdAt: 1_700_000_000_000,
  };
}

let revisions = 1000;

/** Higher than any before. */
export function nextRevision(): number {
  return (revisions += 1);
}

type Replacement = Extract<Commit, { kind: 'replace' }>;

/** New content for a file as it was. */
export function makeReplacement(
  before: FileRecord,
  manifest: Manifest,
  more: Partial<Replacement> & { readonly lastPage: LayoutPage },
): Replacement {
  return {
    kind: 'replace',
    fileId: before.id,
    manifest,
    updatedAt: 2,
    revision: nextRevision(),
    basis: before.revision,
    ...more,
  };
}

/** A change of a file as it was that leaves its records where they are. */
export function makeAmendment({ file, manifest }: StoredFile, more: Partial<Amendment> = {}): Amendment {
  return { revision: nextRevision(), basis: file.revision, recordNodes: manifest.recordNodes, ...more };
}

/** Other places for the shards of a file as it was. */
export function makeRelocation({ file, manifest }: StoredFile, more: Partial<Relocation> = {}): Relocation {
  const { versionId, m, usage, recordNodes } = manifest;
  const ids = { fileId: file.id, versionId };
  return { ...ids, revision: nextRevision(), basis: file.revision, m, usage, recordNodes, pages: [], ...more };
}

/** The removal of a file as it was. */
export function makeRemoval(before: FileRecord, nodes: readonly number[] = [1, 4]): Parameters<MetadataStore['remove']>[0] {
  return { basis: before.revision, tombstone: { fileId: before.id, revision: nextRevision(), kekId: 'key-1', nodes } };
}

/** Removes a file as it is now. */
export async function removeFile(store: MetadataStore, id: FileId): Promise<StoredFile> {
  const stored = await store.find(id, NEVER);
  if (stored === undefined) throw new Error('there is no such file');
  return store.remove(makeRemoval(stored.file), undefined, NEVER);
}

export type Creation = Extract<Commit, { kind: 'create' }>;

export function makeCreation(name: string, sketch: ManifestSketch = {}): Creation {
  const id = newId<FileId>();
  const manifest = makeManifest(id, sketch);
  const file: FileRecord = {
    id,
    owner: sketch.owner ?? STORE_OWNER,
    name,
    contentType: 'text/plain',
    size: manifest.size,
    versionId: manifest.versionId,
    createdAt: manifest.createdAt,
    updatedAt: manifest.createdAt,
    revision: nextRevision(),
  };
  return { kind: 'create', file, manifest, lastPage: { page: 0, bytes: Uint8Array.of(1, 2, 3) } };
}

export async function createFile(store: MetadataStore, name: string, sketch: ManifestSketch = {}): Promise<Creation> {
  const creation = makeCreation(name, sketch);
  await store.commit(creation, NEVER);
  return creation;
}

export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const collected: Item[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

export function compareUtf8(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

/** The order of the index by name: the bytes of the name, then the id. */
export function compareByName(left: FileRecord, right: FileRecord): number {
  return compareUtf8(left.name, right.name) || compareUtf8(left.id, right.id);
}
